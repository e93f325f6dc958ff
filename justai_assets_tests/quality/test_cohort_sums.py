"""The check sees every message that is counted twice, nowhere, or by another number, and none where the counts hold."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from justai_assets.contract.days import Days
from justai_assets.contract.tables import COPY_DAILY, ESP_EVENTS, MESSAGE_OUTCOMES, Table
from justai_assets.dag.headless import make_report
from justai_assets.events.message_outcomes import build_message_outcomes
from justai_assets.experiments.copy_daily_build import build_copy_daily
from justai_assets.quality.cohort_sums import cohorts
from justai_assets.quality.day_result import Verdict
from justai_assets.sources.intake_build import build_from_doors
from justai_assets_tests.world import WEBHOOK_ORG, World, esp

DAYS = Days.parse("2026-01-05", "2026-01-07")
DAY = date(2026, 1, 5)
IDS = {"templateId": 501, "campaignId": 9001}
TEMPLATES = [
    {"id": "a", "treatment": {"template_id": "501", "campaign_id": "9001"}},
    {"id": "b", "treatment": {"template_id": "502", "campaign_id": "9001"},
     "control": {"template_id": "501", "campaign_id": "9001"}},
]  # fmt: skip


@pytest.fixture
def built(world: World) -> World:
    """Messages of one day, one of them sent again on the next, one of another template, and a send without an id."""
    org = world.add_org(WEBHOOK_ORG, templates=TEMPLATES)
    sends = [esp("emailSend", f"2026-01-05 10:00:0{at}", messageId=f"m{at}", **IDS) for at in range(4)]
    sends.append(esp("emailSend", "2026-01-05 11:00:00", messageId="other", templateId=777, campaignId=1))
    sends.append(esp("emailSend", "2026-01-05 12:00:00", **IDS))
    world.land("iterable_webhooks", "acme", DAY, sends)
    again = esp("emailSend", "2026-01-06 10:00:00", messageId="m0", **IDS)
    world.land("iterable_webhooks", "acme", "2026-01-06", [again])
    build_from_doors(org, world.landing, world.lake, ESP_EVENTS, ("iterable_webhooks",), DAYS)
    build_message_outcomes(org, world.lake, DAYS)
    build_copy_daily(org, world.lake, DAYS)
    return world


def judged(world: World, table: Table) -> Verdict:
    first, *others = cohorts(world.orgs["acme"], world.lake, table, DAYS)
    assert all(one.is_sound for one in others), "the days without first sends hold as well"
    return first


def rewrite(world: World, table: Table, change: pl.Expr | None = None, *, keep: pl.Expr | None = None) -> None:
    day = Days(DAY, DAY)
    rows = world.lake.scan("acme", table, day).collect()
    with world.lake.replacing("acme", table, day) as writer:
        rows = rows if change is None else rows.with_columns(change)
        writer.write(DAY, rows if keep is None else rows.filter(keep))


def test_a_sound_day_has_no_problem_and_says_how_many(built: World) -> None:
    outcomes, counts = judged(built, MESSAGE_OUTCOMES), judged(built, COPY_DAILY)
    assert outcomes.is_sound
    assert outcomes.numbers == {"messages": 5, "sends without a message": 1}
    assert counts.is_sound
    assert counts.numbers == {"messages": 4}


def test_a_message_that_is_missing_is_a_warning_above_and_a_problem_below(built: World) -> None:
    rewrite(built, MESSAGE_OUTCOMES, keep=pl.col("message_id").ne_missing("m2"))
    assert judged(built, MESSAGE_OUTCOMES).warnings == ("5 messages are sent first on this day, but the table holds 4",)
    assert judged(built, COPY_DAILY).problems == (
        "all templates together: 4 messages, but message_outcomes holds 3",
        "a treatment: 4 messages, but message_outcomes holds 3",
        "b control: 4 messages, but message_outcomes holds 3",
    )


def test_a_send_that_landed_since_is_a_warning(built: World) -> None:
    late = esp("emailSend", "2026-01-05 13:00:00", messageId="late", **IDS)
    built.land("iterable_webhooks", "acme", DAY, [late], "late")
    org = built.orgs["acme"]
    build_from_doors(org, built.landing, built.lake, ESP_EVENTS, ("iterable_webhooks",), Days(DAY, DAY))
    (said,) = judged(built, MESSAGE_OUTCOMES).warnings
    assert said == "6 messages are sent first on this day, but the table holds 5"
    assert judged(built, COPY_DAILY).is_sound


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (pl.when(pl.col("metric") == "click").then(9).otherwise("messages").alias("messages"), "different numbers"),
        (pl.lit("copy").alias("copy_id"), "a treatment: 0 messages, but"),
        (pl.when(pl.col("metric") == "open").then(5).otherwise("successes").alias("successes"), "more successes than"),
    ],
)
def test_counts_that_contradict_each_other_are_problems(built: World, change: pl.Expr, said: str) -> None:
    rewrite(built, COPY_DAILY, change.cast(COPY_DAILY.schema[change.meta.output_name()]))
    assert any(said in problem for problem in judged(built, COPY_DAILY).problems)


def test_a_day_that_another_org_file_counted_is_told_so(built: World) -> None:
    built.add_org(WEBHOOK_ORG, templates=TEMPLATES[:1])
    assert judged(built, COPY_DAILY).warnings == ("counted by another org file",)


def test_the_assets_run_the_check_and_a_wrong_count_stops_the_results(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from justai_assets.experiments import copy_daily_build as module

    world.add_org(WEBHOOK_ORG, templates=TEMPLATES, start_date=DAY)
    world.land("iterable_webhooks", "acme", DAY, [esp("emailSend", "2026-01-05 10:00:00", messageId="m", **IDS)])
    real = module.count_day
    monkeypatch.setattr(module, "count_day", lambda *given: real(*given).with_columns(pl.col("messages") + 1))
    last = DAY + timedelta(days=1)
    assert not world.materialize(str(DAY), str(last))
    said = capsys.readouterr().err
    assert "check failed acme/copy_daily cohorts" in said
    assert "all templates together: 2 messages, but message_outcomes holds 1" in said
    monkeypatch.setattr(module, "count_day", real)
    assert world.materialize(str(DAY), str(last))
    assert make_report(world.orgs["acme"])
