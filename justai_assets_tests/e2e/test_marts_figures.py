"""The marts say what copy_daily, attribution_metrics and the ledger say, column by column.

Every column of every mart is looked at: one that the test does not know fails it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import duckdb
import polars as pl
import pytest

from justai_assets.contract.tables import ATTRIBUTED_EVENTS, MESSAGE_OUTCOMES
from justai_assets_tests.e2e.figures import Figures
from justai_assets_tests.e2e.mixed_week import BUILT, JOINED, SENDS, UNIFIED
from justai_assets_tests.experiments.dbt_builds import Marts
from justai_assets_tests.experiments.test_marts import MARTS
from justai_assets_tests.world import World

pytestmark = pytest.mark.slow

Sql = Callable[[str], pl.DataFrame]
STEPS = {
    "opened": "open", "machine_opened": "machine_open", "clicked": "click", "converted": "any_conversion",
    "unsubscribed": "unsubscribe",
}  # fmt: skip
RATES = {"open_rate": "opened", "click_rate": "clicked", "conversion_rate": "converted",
         "unsubscribe_rate": "unsubscribed"}  # fmt: skip
COUNTED = {*STEPS, *RATES, "send_date", "org", "sent", "conversions"}


@pytest.fixture(scope="module")
def sql(mixed: World) -> Iterator[Sql]:
    days = {"from_date": str(BUILT.first), "to_date": str(BUILT.last)}
    path = Marts(mixed, mixed.folder).build("--vars", json.dumps(days), "--exclude-resource-type", "unit_test")
    with duckdb.connect(str(path), read_only=True) as connection:
        yield lambda query: pl.DataFrame(connection.sql(query).to_arrow_table())


@pytest.fixture(params=[JOINED, UNIFIED])
def figures(request: pytest.FixtureRequest, mixed: World) -> Figures:
    return Figures(mixed, request.param)


def rows(sql: Sql, mart: str, columns: set[str], figures: Figures) -> pl.DataFrame:
    """The rows of the org, in exactly these columns."""
    found = sql(f"from {mart}")
    assert set(found.columns) == columns, mart
    return found.filter(org=figures.org)


def test_every_mart_is_known_here(sql: Sql) -> None:
    found = sql("select table_name from information_schema.tables where table_schema = 'main'")["table_name"]
    assert {name for name in found if not name.startswith("stg_")} == {*MARTS}


def test_a_template_is_judged_by_the_window_that_the_mart_gives_for_it(sql: Sql, figures: Figures) -> None:
    columns = {"org", "template", "arm", "template_id", "campaign_id", "key_metric", "window_hours", "control_share"}
    found = rows(sql, "dim_template", columns, figures)
    key = {key[0]: row for key, row in figures.results.items() if row["is_key"] and key[3] is None}
    arms = [
        (one.id, arm, ids.template_id, ids.campaign_id, one.control_share)
        for one in figures.world.orgs[figures.org].templates
        for arm, ids in (("treatment", one.treatment), ("control", one.control))
        if ids is not None
    ]
    named = found.select("template", "arm", "template_id", "campaign_id", "control_share")
    assert sorted(named.rows()) == sorted(arms)
    for row in found.to_dicts():
        result = key[row["template"]]
        assert row["window_hours"] == result["window_hours"]
        assert row["key_metric"] == result["metric"].removeprefix("conversion:")


def test_template_days_are_those_of_copy_daily(sql: Sql, figures: Figures) -> None:
    found = rows(sql, "fct_template_daily", {*COUNTED, "template", "arm"}, figures)
    cohorts = {replace(one, copy=None) for one in figures.metrics() if one.metric == "open"}
    days = [(cohort, day) for cohort in cohorts for day, counts in figures.daily(cohort) if counts["messages"]]
    told = {(row["template"], row["arm"], row["send_date"]): row for row in found.to_dicts()}
    assert set(told) == {(cohort.template, cohort.arm, day) for cohort, day in days}
    outcomes = figures.table(MESSAGE_OUTCOMES)
    for cohort, day in days:
        row = told[cohort.template, cohort.arm, day]
        today = replace(cohort, first=day, last=day)
        counts = {name: figures.cohort(replace(today, metric=metric)) for name, metric in STEPS.items()}
        assert {name: row[name] for name in STEPS} == {name: one["successes"] for name, one in counts.items()}
        assert {row["sent"]} == {one["messages"] for one in counts.values()}
        for rate, name in RATES.items():
            assert row[rate] == pytest.approx(counts[name]["successes"] / row["sent"])
        (org,) = [one for one in figures.world.orgs[figures.org].templates if one.id == cohort.template]
        ids = org.treatment if cohort.arm == "treatment" else org.control
        mine = outcomes.filter(pl.col("message_id").is_not_null(), send_date=day, **ids.model_dump())
        assert row["conversions"] == mine["attributed_conversions"].sum()


def test_campaign_days_are_those_of_the_templates_and_of_ids_that_no_org_file_names(sql: Sql, figures: Figures) -> None:
    found = rows(sql, "fct_campaign_daily", {*COUNTED, "template_id", "campaign_id"}, figures)
    names = sorted(COUNTED - {"org"})
    joined = sql(f"""
        select t.template, t.arm, {", ".join(f"c.{name}" for name in names)} from fct_campaign_daily c
        join dim_template t using (org, template_id, campaign_id) where org = '{figures.org}' order by all""")
    assert (
        joined.rows()
        == sql(f"""
        select template, arm, {", ".join(names)} from fct_template_daily where org = '{figures.org}' order by all
        """).rows()
    )
    outcomes = figures.table(MESSAGE_OUTCOMES).filter(pl.col("message_id").is_not_null())
    assert found["sent"].sum() == outcomes.height


def test_messages_are_those_of_message_outcomes(sql: Sql, figures: Figures) -> None:
    same = {"send_date", "message_id", "template_id", "campaign_id", "sent_at", "sends", "opens", "clicks",
            "machine_opens", "machine_clicks", "unsubscribes"}  # fmt: skip
    renamed = {"first_opened_at": "first_open", "first_clicked_at": "first_click", "conversions": "attributed_conversions",
               "first_converted_at": "first_conversion", "first_unsubscribed_at": "first_unsubscribe"}  # fmt: skip
    found = rows(sql, "fct_message_funnel", {*same, *renamed, "org"}, figures)
    known = pl.when("is_machine_known")
    outcomes = (
        figures.table(MESSAGE_OUTCOMES)
        .filter(pl.col("message_id").is_not_null())
        .with_columns(known.then(name).alias(name) for name in ("machine_opens", "machine_clicks"))
        .select(*sorted(same), *(pl.col(old).alias(new) for new, old in renamed.items()))
    )
    ours = found.select(outcomes.columns).sort(outcomes.columns)
    assert ours.rows() == outcomes.sort(outcomes.columns).rows()


def test_events_are_those_of_attribution_metrics(sql: Sql, figures: Figures) -> None:
    names = {"template_id", "campaign_id", "event_name", "event_date"}
    found = rows(sql, "fct_event_daily", {*names, "org", "event_class", "reason", "events", "messages"}, figures)
    org = figures.world.orgs[figures.org]
    own = [
        row for row in figures.events.to_dicts() if row["window_hours"] == org.attribution.window_for(row["event_name"])
    ]
    key = sorted(names)
    expected = {tuple(row[name] for name in key): (row["events"], row["messages"]) for row in own}
    told: dict[tuple, tuple[int, int]] = {}
    for row in found.to_dicts():
        at = tuple(row[name] for name in key)
        before = told.get(at, (0, 0))
        told[at] = (before[0] + row["events"], before[1] + row["messages"])
    assert told == expected
    if figures.org == JOINED:
        left = figures.table(ATTRIBUTED_EVENTS).filter(is_attributed=False)
        counts = left.group_by("event_date", "event_name", "reason").len().rows()
        reasons = found.filter(pl.col("reason").is_not_null()).select("event_date", "event_name", "reason", "events")
        assert sorted(reasons.rows()) == sorted(counts)
    classes = dict(found.select("event_name", "event_class").unique().iter_rows())
    assert {classes[name] for name in ("emailOpen", "emailSend")} == {"open", "send"}
    # The sends of a day of events are those of its template and campaign under every name.
    for row in own:
        of_ids = found.filter(event_date=row["event_date"]).filter(
            pl.col(name).eq_missing(row[name]) for name in ("template_id", "campaign_id")
        )
        for column, kind in (
            ("sends", "send"),
            ("opens", "open"),
            ("clicks", "click"),
            ("unsubscribes", "unsubscribe"),
        ):
            assert row[column] == of_ids.filter(event_class=kind)["events"].sum(), (row, column)


def test_health_is_the_ledger(sql: Sql, figures: Figures) -> None:
    fates = ["received", "accepted", "duplicate", "quarantined", "attributed", "unattributed"]
    others = {"is_built", "has_records", "quarantined_share", "late_records", "longest_delay_seconds"}
    found = rows(sql, "rpt_org_health", {"event_date", "org", "asset", "door", *fates, *others}, figures)
    ledger = figures.fates.filter(pl.col("event_date").is_between(BUILT.first, BUILT.last), pl.col("fate").is_in(fates))
    sums = ledger.group_by("event_date", "asset", "door", "fate").agg(pl.col("records").sum())
    expected = {tuple(row[:4]): row[4] for row in sums.iter_rows() if row[4]}
    told = {
        (row["event_date"], row["asset"], row["door"], fate): row[fate]
        for row in found.to_dicts()
        for fate in fates
        if row[fate]
    }
    assert told == expected
    for row in found.to_dicts():
        assert row["has_records"] == bool(row["received"])
        if row["received"]:
            assert row["quarantined_share"] == pytest.approx(row["quarantined"] / row["received"])


def test_no_mart_hides_a_count(sql: Sql) -> None:
    """Whoever asks the marts is an operator, like the reader of the terminal: only the report, which is sent on, hides."""
    small = sql(
        f"select count(*) from fct_template_daily where clicked between 1 and 19 and send_date = '{SENDS.first}'"
    )
    assert small.item() > 0
    late = sql(f"select max(send_date) from fct_template_daily where send_date < '{SENDS.last + timedelta(1)}'")
    assert late.item() == SENDS.last
