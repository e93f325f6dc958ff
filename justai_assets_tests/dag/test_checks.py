from __future__ import annotations

import asyncio
import io
from datetime import date

import dagster as dg
import polars as pl
import pytest
from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionResolvedStatus

from justai_assets.contract.days import Days
from justai_assets.contract.errors import TransientStorageError
from justai_assets.contract.tables import ESP_EVENTS, UNIFIED_EVENTS, Table
from justai_assets.dag.checks import table_checks
from justai_assets.dag.day_checks import DAY_CHECKS
from justai_assets.dag.evaluations import latest_writes
from justai_assets.dag.location import location
from justai_assets.dag.partitions import range_tags
from justai_assets.lake.store import Lake
from justai_assets.landing.landing_paths import day_prefix
from justai_assets.orgs.org_loader import Orgs
from justai_assets.quality.day_result import Verdict
from justai_assets.storage import Root
from justai_assets_tests.dag.demo_week import DAYS, Week
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World

DAY = Days(DAYS.last, DAYS.last)
SHARE_ORG = {
    "slug": "initech",
    "start_date": date(2026, 1, 1),
    "pseudonym_salt": "env:ACME_SALT",
    "engagement": "delta_share",
    "sources": {"delta_share": {"profile": "file:share.json", "table": "share.schema.events"}},
}
TABLES = (
    "esp_events", "custom_events", "attributed_events", "unified_events", "attribution_metrics", "message_outcomes",
    "copy_daily",
)  # fmt: skip


def evaluations(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str, str | None], dg.AssetCheckEvaluation]:
    return {
        (one.asset_key.path[-1], one.check_name, one.partition): one for one in result.get_asset_check_evaluations()
    }


def test_a_day_is_judged_by_every_check_with_its_numbers(week: Week, instance: dg.DagsterInstance) -> None:
    result = week.run(instance, TABLES, DAY)
    assert result.success
    found = evaluations(result)
    names = {(table, name) for table, name, _ in found}
    assert {name for _, name in names} == {check.name for check in DAY_CHECKS}
    assert all(partition == str(DAY.first) for _, _, partition in found)
    assert all(one.metadata for one in found.values())
    conserved = found["custom_events", "conservation", str(DAY.first)]
    received, accepted = conserved.metadata["received"].value, conserved.metadata["accepted"].value
    assert isinstance(received, int)
    assert isinstance(accepted, int)
    assert received > accepted > 0


def test_a_range_has_an_evaluation_for_each_day_and_a_summary_with_all(
    week: Week, instance: dg.DagsterInstance
) -> None:
    found = evaluations(week.run(instance, TABLES))
    for table, name in {(table, name) for table, name, _ in found}:
        by_day = [found[table, name, str(day)] for day in DAYS]
        summary = found[table, name, None]
        assert summary.passed == all(one.passed for one in by_day)
        assert [record.data["day"] for record in summary.metadata["by day"].value.records] == [str(day) for day in DAYS]
    # The demo leaves a stale part in the last day's export.
    stale = [found["custom_events", "stale_parts", str(day)].passed for day in DAYS]
    assert stale == [True, True, False]
    assert found["custom_events", "stale_parts", None].severity == dg.AssetCheckSeverity.WARN


def test_a_range_of_one_day_leaves_no_planned_check_of_it_open(week: Week, instance: dg.DagsterInstance) -> None:
    job = week.definitions.resolve_implicit_global_asset_job_def()
    tags = {"org": "acme", **range_tags(DAY)}
    assert job.execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey(["acme", "esp_events"])], tags=tags
    ).success
    for check in DAY_CHECKS:
        if check.applies(week.org("acme"), ESP_EVENTS):
            key = dg.AssetCheckKey(dg.AssetKey(["acme", "esp_events"]), check.name)
            history = instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
            assert {(record.partition, record.status.value) for record in history} == {
                (str(DAY.first), "SUCCEEDED"),
                (None, "SUCCEEDED"),
            }


def known(week: Week, instance: dg.DagsterInstance, status: AssetCheckExecutionResolvedStatus) -> list[str]:
    """The days of which Dagster holds no_pii of esp_events to have this status: the UI and automation ask the same."""
    view = AssetGraphView.for_test(week.definitions, instance)
    key = dg.AssetCheckKey(dg.AssetKey(["acme", "esp_events"]), "no_pii")
    subset = asyncio.run(view.compute_subset_with_status(key, status, view.get_full_subset(key=key)))
    return sorted(subset.expensively_compute_partition_keys())


def test_dagster_knows_the_verdict_on_every_day_of_a_range(
    week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert week.run(instance, ["esp_events"]).success
    assert known(week, instance, AssetCheckExecutionResolvedStatus.SUCCEEDED) == [str(day) for day in DAYS]
    monkeypatch.setattr("justai_assets.quality.pii._PSEUDONYM", "^never$")
    assert not week.run(instance, ["esp_events"]).success
    assert known(week, instance, AssetCheckExecutionResolvedStatus.FAILED) == [str(day) for day in DAYS]
    assert known(week, instance, AssetCheckExecutionResolvedStatus.SUCCEEDED) == []


def test_a_verdict_names_the_write_that_was_judged_and_its_run(week: Week, instance: dg.DagsterInstance) -> None:
    assert week.run(instance, ["esp_events"], DAY).success
    key = dg.AssetKey(["acme", "esp_events"])
    older = latest_writes(instance, key, DAYS)
    result = week.run(instance, ["esp_events"])
    newer = latest_writes(instance, key, DAYS)
    assert set(older) == {str(DAY.first)}
    assert set(newer) == {str(day) for day in DAYS}
    assert older[str(DAY.first)].storage_id < newer[str(DAY.first)].storage_id
    assert {one.run_id for one in newer.values()} == {result.run_id}
    judged = {
        one.partition: one.target_materialization_data
        for one in result.get_asset_check_evaluations()
        if one.check_name == "no_pii" and one.partition
    }
    assert judged == newer


def test_a_day_that_is_written_while_it_is_judged_is_not_held_to_be_judged(
    week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(_: Lake, __: str, ___: Table, days: Days) -> list[Verdict]:
        key = dg.AssetKey(["acme", "esp_events"])
        instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=str(DAYS.first)))
        return [Verdict(day, {}) for day in days]

    monkeypatch.setattr("justai_assets.dag.day_checks.no_pii", overtaken)
    assert week.run(instance, ["esp_events"]).success
    assert known(week, instance, AssetCheckExecutionResolvedStatus.SUCCEEDED) == [str(day) for day in DAYS][1:]


def test_checks_that_meet_an_outage_are_carried_out_again(
    week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def away_at_first(_: Lake, __: str, ___: Table, days: Days) -> list[Verdict]:
        asked.append(days)
        if len(asked) == 1:
            raise TransientStorageError("storage is away", mend="wait")
        return [Verdict(day, {}) for day in days]

    monkeypatch.setattr("justai_assets.dag.day_checks.no_pii", away_at_first)
    monkeypatch.setattr("justai_assets.dag.run_retries.RETRIES", 1)
    assert week.run(instance, ["esp_events"]).success
    assert len(asked) == 2
    assert known(week, instance, AssetCheckExecutionResolvedStatus.SUCCEEDED) == [str(day) for day in DAYS]


def test_a_day_that_fails_a_blocking_check_stops_what_is_below_it(week: Week, instance: dg.DagsterInstance) -> None:
    assert week.run(instance, TABLES, DAY).success
    table = Lake(Root.parse(str(week.lake))).open("acme", ESP_EVENTS)
    assert table is not None
    checks = [check.key for org_checks in table_checks(week.org("acme")) for check in org_checks.check_specs]
    assert dg.AssetCheckKey(dg.AssetKey(["acme", "esp_events"]), "no_pii") in checks
    # Nothing that the doors let through fails; what is written past them does.
    uri = Lake(Root.parse(str(week.lake))).uri("acme", UNIFIED_EVENTS)
    leak = pl.read_delta(uri).filter(pl.col("event_date") == DAY.first).head(1)
    leak.with_columns(message_id=pl.lit("ada@example.com")).write_delta(uri, mode="append")
    job = week.definitions.resolve_implicit_global_asset_job_def()
    selection = dg.AssetSelection.checks_for_assets(dg.AssetKey(["acme", "unified_events"]))
    keys = selection.resolve_checks(week.definitions.resolve_asset_graph())
    result = job.get_subset(asset_selection=set(), asset_check_selection=keys).execute_in_process(
        instance=instance, partition_key=str(DAY.first), raise_on_error=False
    )
    failed = {one.check_name for one in result.get_asset_check_evaluations() if not one.passed}
    assert not result.success
    assert failed == {"no_pii", "conservation"}


def test_downstream_does_not_run_after_a_blocking_failure(
    week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("justai_assets.quality.pii._PSEUDONYM", "^never$")
    result = week.run(instance, TABLES, DAY)
    done = {event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key}
    assert not result.success
    assert done == {"esp_events", "custom_events"}


def test_a_column_added_to_a_drop_warns_and_passes_no_further(week: Week, instance: dg.DagsterInstance) -> None:
    at = pl.datetime(DAY.first.year, DAY.first.month, DAY.first.day, 9, time_zone="UTC")
    drop = pl.select(
        event_timestamp=at.dt.cast_time_unit("us"),
        event_date=pl.lit(DAY.first),
        event_name=pl.lit("signup"),
        user_id_or_email=pl.lit("user-501"),
        loyalty_tier=pl.lit("gold"),
    )
    for landed in list(week.landing.list(day_prefix("redshift", "acme", DAY.first))):
        week.landing.delete(landed.key)
    buffer = io.BytesIO()
    drop.write_parquet(buffer)
    week.landing.write(f"{day_prefix('redshift', 'acme', DAY.first)}/0000_part_00.parquet", buffer.getvalue())
    result = week.run(instance, ["custom_events"], DAY)
    assert result.success
    found = evaluations(result)["custom_events", "schema_drift", str(DAY.first)]
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.WARN
    assert found.description == "columns beyond the contract, not read: loyalty_tier"
    assert evaluations(result)["custom_events", "conservation", str(DAY.first)].passed


def test_every_check_of_the_location_says_how_to_mend_it(world: World) -> None:
    orgs = [world.add_org(base) for base in (WEBHOOK_ORG, UNIFIED_ORG, SHARE_ORG)]
    graph = location(Orgs({org.slug: org for org in orgs}, {})).resolve_asset_graph()
    said = {key: graph.get(key).description or "" for key in graph.asset_check_keys}
    assert {"no_days_left_failed", "org_files_are_valid", "share_credential"} < {key.name for key in said}
    assert [key for key, description in said.items() if "Mend: " not in description] == []


def test_a_table_costs_one_step_of_checks(week: Week) -> None:
    checks = table_checks(week.org("acme"))
    assert len(checks) == len(TABLES) + len(["served_copies"])
    names = {spec.name for one in checks for spec in one.check_specs if spec.blocking}
    assert names == {"contract", "conservation", "cohorts", "no_pii"}
