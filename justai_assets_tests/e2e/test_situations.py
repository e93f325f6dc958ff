"""Ordinary situations of a test, from landed files through real runs to results, report and terminal.

One org has one template for each situation, over sixteen days up to yesterday. Rates are exact on every day, so whatever
differs from what is said here is made by the platform.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from math import log

import polars as pl
import pytest

from justai_assets.cli import run
from justai_assets.contract.days import Days
from justai_assets.experiments.false_discovery import DECIDED_ALONE
from justai_assets.reporting.report_input import restated
from justai_assets_tests.conftest import make_world
from justai_assets_tests.e2e.situations import (
    DAYS,
    FIRST,
    LAST,
    NOW,
    SHARED_CONTROL,
    SHARING,
    TEMPLATES,
    Judged,
    Landing,
    judged,
    land_situations,
    template,
)
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    folder = tmp_path_factory.mktemp("situations")
    with pytest.MonkeyPatch.context() as patch:
        world = make_world(folder, str(folder / "landing"), str(folder / "lake"), patch)
        world.add_org(
            WEBHOOK_ORG,
            start_date=FIRST,
            custom=["journey_webhooks"],
            sources={"iterable_webhooks": {}, "journey_webhooks": {"events": {"1": "purchase", "2": "signup"}}},
            attribution={"windows": {"purchase": 72}},
            templates=TEMPLATES,
            experiments={"false_discovery_rate": 0.1},
        )
        landing = Landing(world)
        land_situations(landing)
        landing.land()
        yield judged(world, "acme")


def test_a_launch_in_the_afternoon_breaks_no_split_and_its_day_is_left_out(acme: Judged) -> None:
    key = acme.key("afternoon")
    assert key["verdict"] != "broken_split"
    assert key["control_share"] == pytest.approx(0.1)
    assert key["first_day"] == FIRST + timedelta(days=3)
    assert key["lift"] == pytest.approx(0)


def test_a_trial_message_a_week_before_the_launch_begins_no_test(acme: Judged) -> None:
    key = acme.key("trial")
    assert (key["verdict"] != "broken_split", key["first_day"]) == (True, FIRST + timedelta(days=7))


def test_doing_what_ship_says_leaves_the_decision_as_it_was(acme: Judged) -> None:
    key, end = acme.key("stopped"), FIRST + timedelta(days=10)
    assert (key["verdict"], key["last_day"]) == ("ship", end)
    said = f"This is the decision on the sends until {end:%-d %B %Y}, when the control stopped."
    assert said in key["decision"]
    assert said in acme.report
    assert said in acme.terminal


def test_a_share_that_is_raised_between_equal_arms_is_no_difference(acme: Judged) -> None:
    key = acme.key("raised")
    assert key["verdict"] not in ("keep_control", "ship", "broken_split")
    assert key["lift"] == pytest.approx(0)
    assert key["control_share"] == pytest.approx(0.5), "the split is that of the last period"


def test_who_converts_sooner_does_not_win_and_days_that_still_fill_are_named(acme: Judged) -> None:
    key = acme.key("delays")
    assert key["lift"] == pytest.approx(0)
    assert key["verdict"] != "ship"
    assert key["last_day"] <= LAST - timedelta(days=2)
    assert "Still filling: sends after" in acme.report


def test_a_person_of_many_messages_counts_by_the_way_in_which_the_split_is_drawn(acme: Judged) -> None:
    assert acme.key("per-person")["treatment_design_effect"] > 10, "sixteen messages that are answered alike"
    assert acme.key("per-message")["treatment_design_effect"] < 1.3, "what the arms share cancels"
    assert acme.key("per-person")["variance"] == acme.key("per-message")["variance"] == "user"


def test_a_person_who_is_known_by_email_or_by_user_id_is_one_person_in_the_variance(acme: Judged) -> None:
    by_either, by_email = acme.key("two-keys"), acme.key("per-person")
    names = [name for name in by_email if name.endswith("design_effect") or name.startswith(("lift", "difference"))]
    assert len(names) > 8
    assert {name: by_either[name] for name in names} == pytest.approx({name: by_email[name] for name in names})


def test_a_control_of_three_templates_counts_once_in_the_row_of_all_together(acme: Judged) -> None:
    (row,) = acme.rows.filter(pl.col("template").is_null(), pl.col("metric") == "conversion:signup").to_dicts()
    standard_error = (log(1 + row["lift_high"]) - log(1 + row["lift_low"])) / (2 * 1.959964)
    closed = acme.rows.filter(
        pl.col("template") == "shared-0", pl.col("metric") == "conversion:signup", "is_own_window"
    )
    sends = closed["control_messages"].item()
    odds = (1 - 0.2) / 0.2
    once, thrice = odds * (1 / (3 * sends) + 1 / sends), odds * (1 / (3 * sends) + 1 / (3 * sends))
    assert standard_error**2 == pytest.approx(once, rel=0.03)
    assert standard_error**2 > 1.5 * thrice
    assert (row["lift"], row["verdict"]) == (pytest.approx(0), "undecided")


def test_opens_by_a_proxy_are_no_opens_and_a_message_is_counted_once(acme: Judged) -> None:
    (line,) = [line.split() for line in acme.terminal.splitlines() if "acme/proxies" in line and "treatment" in line]
    assert line[line.index("treatment") + 1 :][:5] == ["10", "0", "0.00%", "0", "0.00%"]


def test_an_undecided_test_names_its_promise_and_a_shipped_one_warns_that_it_reads_high(acme: Judged) -> None:
    plain = acme.terminal.replace("\u00a0", " ")
    assert acme.key("slow")["verdict"] == "keep_running"
    assert f"after {acme.key('slow')['days_left']} more days four of five tests would show" in plain
    assert "A lift reads high on the day it first shows: plan with the lower end." in acme.report
    assert "(4 of 5 tests)" in acme.report


def test_what_holds_at_the_false_discovery_rate_is_said_in_results_report_and_terminal(acme: Judged) -> None:
    (row,) = acme.rows.filter(pl.col("reason") == "false_discovery_rate").to_dicts()
    assert (row["template"], row["verdict"]) == (None, "1 of 12")
    assert "the new copy does better in stopped" in row["decision"]
    assert row["decision"] in acme.report
    assert row["decision"] in acme.terminal


@pytest.fixture(scope="module")
def globex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    folder = tmp_path_factory.mktemp("unified")
    names = ("event_name", "event_timestamp", "message_id", "template_id", "campaign_id")
    with pytest.MonkeyPatch.context() as patch:
        world = make_world(folder, str(folder / "landing"), str(folder / "lake"), patch)
        people = template("people", 10, control_share=0.5, split_unit="user", key_metric="upgrade")
        alone = template("messages", 20, control_share=0.5, key_metric="upgrade")
        world.add_org(UNIFIED_ORG, start_date=FIRST, templates=[people, alone])
        rows: list[tuple[str, datetime, str, str, str]] = []
        for at in range(DAYS):
            sent = datetime.combine(FIRST + timedelta(days=at), time(9), UTC)
            for number, hits in ((10, 18), (11, 12), (20, 18), (21, 12)):
                for message in range(60):
                    ids = (f"{number} {at} {message}", str(number), "1")
                    rows.append(("emailSend", sent, *ids))
                    # Everybody upgrades, most of them after the org's window of a day.
                    rows.append(("upgrade", sent + timedelta(hours=1 if message < hits else 30), *ids))
        frame = pl.DataFrame(rows, schema=names, orient="row").filter(pl.col("event_timestamp") < NOW)
        for (day,), some in frame.group_by(pl.col("event_timestamp").dt.date()):
            world.drop("databricks", "globex", day, some)
        yield judged(world, "globex")


def test_where_no_rate_is_named_report_and_terminal_say_that_each_template_is_decided_alone(globex: Judged) -> None:
    assert globex.rows.filter(pl.col("reason") == "false_discovery_rate").is_empty()
    assert DECIDED_ALONE in globex.report
    assert DECIDED_ALONE in globex.terminal.replace("\n", " ")


def test_people_whom_nobody_knows_are_assumed_to_answer_alike_and_the_sentence_says_so(globex: Judged) -> None:
    people, messages = globex.key("people"), globex.key("messages")
    assert (people["lift"], messages["lift"]) == (pytest.approx(0.5), pytest.approx(0.5))
    assert messages["verdict"] == "ship"
    assert people["verdict"] == "keep_running"
    assert "messages count as one (assumed; set assumed_design_effect if you know better)" in people["decision"]
    assert people["control_share"] is None, "the split over people is not checked"
    assert people["decision"] in globex.report


def test_a_unified_stream_is_counted_within_the_orgs_own_window_in_results_and_in_explain(
    globex: Judged, capsys: pytest.CaptureFixture[str]
) -> None:
    key = globex.key("messages")
    assert (key["window_hours"], key["treatment_rate"], key["control_rate"]) == (24, pytest.approx(0.3), 0.2)
    asked = f"template=messages,metric=upgrade,send_date={FIRST},arm=treatment"
    assert run(["explain", "--org", "globex", "--metric", asked]) == 0
    said = capsys.readouterr().out
    assert "18 of 60 messages, says copy_daily" in said
    assert "message_outcomes holds 18 of 60 messages" in said


def test_a_late_open_in_a_control_of_three_templates_is_restated_under_each_of_them(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG, templates=SHARING)
    ids = {"messageId": "m" * 32, "templateId": int(SHARED_CONTROL), "campaignId": 1}
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00", **ids)])
    assert world.materialize("2026-01-05", "2026-01-06")
    late = world.land("iterable_webhooks", "acme", "2026-01-06", [esp("emailOpen", "2026-01-06 11:00:00", **ids)], "1")
    assert world.materialize("2026-01-06", "2026-01-06")
    moved = restated(org, world.lake, Days.parse("2026-01-01", "2026-01-10"), None)
    assert sorted((one.template, one.metric, one.before, one.after, one.files) for one in moved) == [
        (f"shared-{at}, control", "Opened", 0, 1, (late,)) for at in range(3)
    ]
