"""Declared columns, from landed files through the assets and their checks; undeclared ones never."""

from __future__ import annotations

import io
import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl
import pytest
from rich.console import Console

from justai_assets.cli import run
from justai_assets.contract.days import Days
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    COHORT_RESTATEMENTS,
    COPY_DAILY,
    CUSTOM_EVENTS,
    EXPERIMENT_RESULTS,
    MESSAGE_OUTCOMES,
    QUARANTINE,
    UNIFIED_EVENTS,
    Table,
)
from justai_assets.dag.headless import make_report
from justai_assets.dag.location import location
from justai_assets.dag.partitions import range_tags
from justai_assets.orgs.extra_columns import declared
from justai_assets.orgs.load import Orgs
from justai_assets.settings import Settings
from justai_assets.show import show_revenue
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp

DAY = date(2026, 1, 5)
AT = datetime(2026, 1, 5, 12, tzinfo=UTC)


def unified_org(world: World, columns: Any = None) -> None:
    drop = {"content": "unified_events", **({"extra_columns": columns} if columns is not None else {})}
    world.add_org(UNIFIED_ORG, sources={"databricks": drop})


def custom_org(world: World, columns: Any = None, **changes: Any) -> None:
    drop = {"content": "custom_events", **({"extra_columns": columns} if columns is not None else {})}
    sources = {**WEBHOOK_ORG["sources"], "redshift": drop}
    world.add_org(WEBHOOK_ORG, sources=sources, **changes)


def unified_rows(count: int = 4, **extra: Any) -> pl.DataFrame:
    rows = {
        "event_name": ["emailSend", "purchase"] * (count // 2),
        "event_timestamp": [AT + timedelta(minutes=at) for at in range(count)],
        "message_id": [f"m{at // 2}" for at in range(count)],
        "template_id": ["501"] * count,
        "campaign_id": ["9001"] * count,
    }
    return pl.DataFrame({**rows, **extra})


def purchases(people: list[str], **extra: Any) -> pl.DataFrame:
    rows = {
        "event_timestamp": [AT + timedelta(hours=1, seconds=at) for at in range(len(people))],
        "event_name": ["purchase"] * len(people),
        "user_id_or_email": people,
    }
    return pl.DataFrame({**rows, **extra})


def held(world: World, table: Table, org: str = "acme") -> pl.DataFrame:
    """Rows with the columns that the org file declares now."""
    return world.lake.scan(org, declared(world.orgs[org], table)).collect()


def fields(world: World, table: Table, org: str) -> list[str]:
    found = world.lake.open(org, table)
    assert found is not None
    return [one.name for one in found.schema().fields]


def refused(world: World, org: str) -> dict[str, int]:
    return dict(world.table(QUARANTINE, org).group_by("reason").agg(pl.col("records").sum()).iter_rows())


def remarks(world: World, org: str, table: Table) -> tuple[bool, str]:
    """Materialize a day through Dagster: whether it succeeded, and what it says of the day."""
    with dg.DagsterInstance.ephemeral() as instance:
        job = location(Orgs({org: world.orgs[org]}, {})).resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            asset_selection=[dg.AssetKey([org, table.name])], tags=range_tags(Days(DAY, DAY)), instance=instance
        )
        (made,) = result.asset_materializations_for_node(f"{org}__{table.name}")
        return result.success, str(made.metadata["remarks"].value if "remarks" in made.metadata else "")


def test_declared_columns_of_a_unified_export_flow_and_others_do_not(any_world: World) -> None:
    world = any_world
    unified_org(world, ["revenue", "country"])
    rows = unified_rows(revenue=[None, 12.5, None, 0.0], Country=["AT", " ", None, "DE"], secret=["x"] * 4)
    world.drop("databricks", "globex", DAY, rows)
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    found = held(world, UNIFIED_EVENTS, "globex").sort("event_timestamp")
    assert found["revenue"].to_list() == [None, 12.5, None, 0.0]
    assert found["country"].to_list() == ["AT", None, None, "DE"]
    assert fields(world, UNIFIED_EVENTS, "globex") == [*UNIFIED_EVENTS.schema, "revenue", "country"]


def test_a_column_that_nobody_declared_is_named_and_not_read(world: World) -> None:
    unified_org(world)
    world.drop("databricks", "globex", DAY, unified_rows(revenue=[1.0] * 4))
    succeeded, said = remarks(world, "globex", UNIFIED_EVENTS)
    assert succeeded
    assert "columns beyond the contract, not read: revenue" in said
    assert fields(world, UNIFIED_EVENTS, "globex") == list(UNIFIED_EVENTS.schema)


def test_a_column_declared_later_is_added_and_older_days_are_null(world: World) -> None:
    unified_org(world)
    world.drop("databricks", "globex", DAY, unified_rows(country=["AT"] * 4))
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    unified_org(world, ["country"])
    later = unified_rows(country=["DE"] * 4).with_columns(pl.col("event_timestamp") + timedelta(days=1))
    world.drop("databricks", "globex", DAY + timedelta(1), later)
    assert world.materialize("2026-01-06", "2026-01-06", org="globex")
    found = dict(
        held(world, UNIFIED_EVENTS, "globex").group_by("event_date").agg(pl.col("country").unique()).iter_rows()
    )
    assert found == {DAY: [None], DAY + timedelta(1): ["DE"]}
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    assert held(world, UNIFIED_EVENTS, "globex")["country"].unique().sort().to_list() == ["AT", "DE"]


def test_a_column_declared_no_more_must_be_built_out_of_the_days_that_hold_it(world: World) -> None:
    unified_org(world, ["country"])
    world.drop("databricks", "globex", DAY, unified_rows(country=["AT"] * 4))
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    unified_org(world)
    from justai_assets.quality.pii import no_pii

    (before,) = no_pii(world.lake, "globex", UNIFIED_EVENTS, Days(DAY, DAY))
    assert "declared no more, but not empty, so build these days again: country" in before.problems
    assert world.materialize("2026-01-05", "2026-01-05", org="globex"), "the checks pass when the column is empty"
    (after,) = no_pii(world.lake, "globex", UNIFIED_EVENTS, Days(DAY, DAY))
    assert after.problems == ()


def test_a_column_that_no_org_file_ever_declared_fails_the_checks(world: World) -> None:
    unified_org(world)
    world.drop("databricks", "globex", DAY, unified_rows())
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    table = world.lake.open("globex", UNIFIED_EVENTS)
    assert table is not None
    from deltalake import Field
    from deltalake.schema import PrimitiveType

    table.alter.add_columns([Field("phone", PrimitiveType("string"))])
    assert not world.materialize("2026-01-05", "2026-01-05", org="globex")


def test_a_file_that_lacks_a_declared_column_is_read_and_the_day_says_so(world: World) -> None:
    unified_org(world, ["country", "plan"])
    world.drop("databricks", "globex", DAY, unified_rows(country=["AT"] * 4))
    succeeded, said = remarks(world, "globex", UNIFIED_EVENTS)
    assert succeeded
    assert "declared columns that files lack, null in their rows: plan" in said


def test_a_declared_column_of_no_readable_type_refuses_the_file_and_is_named(world: World) -> None:
    unified_org(world, ["country"])
    world.drop("databricks", "globex", DAY, unified_rows(country=[["AT"]] * 4))
    _, said = remarks(world, "globex", UNIFIED_EVENTS)
    assert "wrong_type: the column country" in said
    assert refused(world, "globex") == {"wrong_type": 4}


def test_personal_data_in_a_declared_column_is_refused_naming_the_column_and_never_the_value(world: World) -> None:
    unified_org(world, ["country"])
    world.drop("databricks", "globex", DAY, unified_rows(country=["AT", "jane.roe@example.com", None, "DE"]))
    succeeded, said = remarks(world, "globex", UNIFIED_EVENTS)
    assert succeeded
    assert "personal_data_in_identifier: the column country" in said
    assert "jane" not in said
    assert refused(world, "globex") == {"personal_data_in_identifier": 1}
    assert held(world, UNIFIED_EVENTS, "globex").height == 3


def test_a_user_id_of_the_same_row_in_a_declared_column_is_refused(world: World) -> None:
    custom_org(world, ["note"])
    world.drop("redshift", "acme", DAY, purchases(["jane-roe-17", "p-2"], note=["by Jane-Roe-17", "gift"]))
    assert world.materialize("2026-01-05", "2026-01-05", CUSTOM_EVENTS.name)
    assert refused(world, "acme") == {"personal_data_in_identifier": 1}
    assert held(world, CUSTOM_EVENTS)["note"].to_list() == ["gift"]


BAD = [math.nan, math.inf, -math.inf, 1e13, -0.5]


def test_every_bad_amount_is_refused_with_a_reason_counted_and_conserved(world: World) -> None:
    custom_org(world, ["value"])
    people = [f"p{at}" for at in range(len(BAD) + 3)]
    world.drop("redshift", "acme", DAY, purchases(people, value=[*BAD, 0.0, 19.99, None]))
    assert world.materialize("2026-01-05", "2026-01-05", CUSTOM_EVENTS.name), "conservation and contract pass"
    assert refused(world, "acme") == {"bad_number": 4, "negative_value": 1}
    assert held(world, CUSTOM_EVENTS)["value"].sort().to_list() == [None, 0.0, 19.99]
    assert "the column value" in remarks(world, "acme", CUSTOM_EVENTS)[1]


def test_amounts_as_text_are_read_where_they_are_plain_numbers(world: World) -> None:
    custom_org(world, ["value"])
    texts = ["19.99", " 7 ", "1e2", "", None, "1,234.50", "€ 5", "NaN", "-3"]
    world.drop("redshift", "acme", DAY, purchases([f"p{at}" for at in range(len(texts))], value=texts))
    assert world.materialize("2026-01-05", "2026-01-05", CUSTOM_EVENTS.name)
    assert held(world, CUSTOM_EVENTS)["value"].sort().to_list() == [None, None, 7.0, 19.99, 100.0]
    assert refused(world, "acme") == {"bad_number": 3, "negative_value": 1}


def test_declared_columns_of_custom_events_reach_the_unified_stream_with_their_message(any_world: World) -> None:
    world = any_world
    custom_org(world, ["value", "country"])
    world.land("iterable_webhooks", "acme", DAY, [
        esp("emailSend", "2026-01-05 08:00:00", messageId="a" * 32, templateId=501, campaignId=9001)
    ])  # fmt: skip
    world.drop(
        "redshift",
        "acme",
        DAY,
        purchases(["jane@example.com", "x@example.com"], value=[30.0, 5.0], country=["AT", "DE"]),
    )
    assert world.materialize("2026-01-05", "2026-01-05")
    attributed = held(world, ATTRIBUTED_EVENTS).sort("value")
    assert attributed.select("value", "country", "is_attributed").rows() == [(5.0, "DE", False), (30.0, "AT", True)]
    unified = held(world, UNIFIED_EVENTS).sort("event_timestamp")
    assert unified.select("event_name", "message_id", "value", "country").rows() == [
        ("emailSend", "a" * 32, None, None), ("purchase", "a" * 32, 30.0, "AT"),
    ]  # fmt: skip
    assert world.table(MESSAGE_OUTCOMES)["values"].to_list() == [[{"event_name": "purchase", "value": 30.0}]]


TEMPLATES = [
    {
        "id": "welcome",
        "key_metric": "purchase",
        "treatment": {"template_id": "501", "campaign_id": "9001"},
        "control": {"template_id": "502", "campaign_id": "9001"},
        "control_share": 0.5,
    }
]
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
