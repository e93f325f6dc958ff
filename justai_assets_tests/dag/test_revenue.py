"""`value` of custom events becomes revenue per message, from landed files to every screen."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from justai_assets.cli import run
from justai_assets.contract.days import Days
from justai_assets.contract.tables import (
    COHORT_RESTATEMENTS,
    COPY_DAILY,
    EXPERIMENT_RESULTS,
    MESSAGE_OUTCOMES,
)
from justai_assets.dag.headless import make_report
from justai_assets.reporting.terminal_tables import show_revenue
from justai_assets.settings import Settings
from justai_assets_tests.dag.extra_columns import (
    DAY,
    custom_org,
    purchases,
    unified_rows,
)
from justai_assets_tests.dag.test_result_assets import TEMPLATES
from justai_assets_tests.world import UNIFIED_ORG, World, esp

PEOPLE = 400


def land_test(world: World, columns: Any = ("value",), share: int = 8) -> dict[str, float]:
    """Two days on which every second person gets the new copy and two of `share` people buy; what each arm brought."""
    custom_org(world, list(columns), templates=TEMPLATES)
    brought = {"treatment": 0.0, "control": 0.0}
    for offset in range(2):
        day = DAY + timedelta(offset)
        lines, people, values = [], [], []
        for person in range(PEOPLE):
            ids = {"messageId": f"{offset:02x}{person:030x}", "templateId": 501 + person % 2, "campaignId": 9001}
            lines.append(esp("emailSend", f"{day} 08:00:{person % 60:02}", f"p{person}@example.com", **ids))
            if person % share in (0, 1):
                people.append(f"p{person}@example.com")
                values.append(round((20.0 if person % 2 else 30.0) + person * 0.01, 2))
                brought["control" if person % 2 else "treatment"] += values[-1]
        world.land("iterable_webhooks", "acme", day, lines)
        bought = purchases(people, value=values).with_columns(pl.col("event_timestamp") + timedelta(days=offset))
        world.drop("redshift", "acme", day, bought)
    assert world.materialize("2026-01-05", "2026-01-06")
    return brought


def test_value_becomes_revenue_per_message_on_every_screen(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    brought = land_test(world)
    rows = world.table(COPY_DAILY).filter(pl.col("metric") == "revenue:purchase", pl.col("template") == "welcome")
    sums = {arm: value for arm, value in rows.group_by("arm").agg(pl.col("value").sum()).iter_rows()}
    assert sums == pytest.approx(brought)
    assert rows["messages"].to_list() == [PEOPLE // 2] * 4
    assert rows["successes"].to_list() == [PEOPLE // 8] * 4
    assert rows["window_hours"].unique().to_list() == [24]

    assert make_report(world.orgs["acme"])
    (result,) = world.table(EXPERIMENT_RESULTS).filter(pl.col("metric") == "revenue:purchase").to_dicts()
    rate = {arm: value / PEOPLE for arm, value in brought.items()}
    assert (result["treatment_rate"], result["control_rate"]) == pytest.approx((rate["treatment"], rate["control"]))
    assert result["lift"] == pytest.approx(rate["treatment"] / rate["control"] - 1)
    assert (result["variance"], result["is_key"], result["is_enough"]) == ("user", False, True)
    # Each person buys both times for the same: 2 messages tell what 1 does, and the few people cost a little more.
    assert result["treatment_design_effect"] == pytest.approx(2, rel=0.02)

    text = io.StringIO()
    days = Days(DAY, DAY + timedelta(1))
    show_revenue(
        Settings.from_environment(), list(world.orgs.values()), days, Console(file=text, width=140, highlight=False)
    )
    treatment, control = [line.split() for line in text.getvalue().splitlines() if "acme/welcome" in line]
    lift = f"{result['lift']:+.0%}"
    money = {arm: (f"{value:,.2f}", f"{rate[arm]:,.4f}") for arm, value in brought.items()}
    assert treatment[1:] == ["purchase", "treatment", "400", "100", *money["treatment"], lift]
    assert control[1:] == ["purchase", "control", "400", "100", *money["control"]]

    html = world.lake.root.read("acme/report/latest.html").decode()
    assert "What a message brings" in html
    assert f"{rate['treatment']:.3f}" in html
    capsys.readouterr()
    assert (
        run(["explain", "--org", "acme", "--metric", "template=welcome,metric=revenue:purchase,send_date=2026-01-05"])
        == 0
    )
    said = capsys.readouterr().out
    day = rows.filter(pl.col("send_date") == DAY, pl.col("arm") == "treatment")["value"].item()
    assert f"50 of 200 messages, worth {day:,.2f}, says copy_daily" in said
    assert f"message_outcomes holds 50 of 200 messages, worth {day:,.2f}" in said
    assert f"50 events of 50 messages, worth {day:,.2f} followed" in said
    assert "revenue is the value of all these events, as it came" in said


def test_what_few_buyers_brought_is_in_no_report(world: World) -> None:
    brought = land_test(world, share=80)
    assert make_report(world.orgs["acme"])
    (result,) = world.table(EXPERIMENT_RESULTS).filter(pl.col("metric") == "revenue:purchase").to_dicts()
    assert (result["treatment_successes"], result["is_enough"], result["lift_always_low"]) == (10, False, None)
    html = world.lake.root.read("acme/report/latest.html").decode()
    assert "What a message brings" in html
    assert f"{brought['treatment'] / PEOPLE:.4f}" not in html
    assert f"{brought['control'] / PEOPLE:.4f}" not in html


def test_revenue_is_the_same_to_the_bit_however_its_days_are_built(world: World) -> None:
    land_test(world)
    tables = (MESSAGE_OUTCOMES, COPY_DAILY)
    before = [world.table(one) for one in tables]
    assert world.materialize("2026-01-06", "2026-01-06", MESSAGE_OUTCOMES.name, COPY_DAILY.name)
    assert world.materialize("2026-01-05", "2026-01-05", MESSAGE_OUTCOMES.name, COPY_DAILY.name)
    assert [one.equals(other) for one, other in zip(before, (world.table(one) for one in tables), strict=True)] == [
        True,
        True,
    ]
    assert world.table(COHORT_RESTATEMENTS).is_empty()


def test_without_a_declared_value_there_is_no_revenue(world: World) -> None:
    land_test(world, columns=())
    assert world.table(COPY_DAILY).filter(pl.col("metric").str.starts_with("revenue:")).is_empty()
    assert world.table(MESSAGE_OUTCOMES)["values"].null_count() == 2 * PEOPLE
    assert make_report(world.orgs["acme"])
    assert "What a message brings" not in world.lake.root.read("acme/report/latest.html").decode()


def test_a_stream_that_the_org_joined_itself_brings_revenue_too(world: World) -> None:
    world.add_org(
        UNIFIED_ORG,
        sources={"databricks": {"content": "unified_events", "extra_columns": ["value"]}},
        templates=TEMPLATES,
    )
    world.drop("databricks", "globex", DAY, unified_rows(value=[None, 12.5, 99.0, 7.5]))
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    rows = world.table(COPY_DAILY, "globex").filter(
        pl.col("metric") == "revenue:purchase", pl.col("arm") == "treatment"
    )
    assert rows.select("messages", "successes", "value", "value_squares").rows() == [(2, 2, 20.0, 12.5**2 + 7.5**2)]
