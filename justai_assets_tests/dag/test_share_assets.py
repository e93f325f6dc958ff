import dagster as dg
import polars as pl
import pytest

from justai_assets.contract.days import Days
from justai_assets.contract.tables import DELTA_SHARE, UNIFIED_EVENTS, Table
from justai_assets.dag.org_keys import table_key
from justai_assets.dag.partitions import range_tags
from justai_assets.dag.share_assets import share_assets
from justai_assets.lake.store import Lake
from justai_assets.quality.day_result import Verdict
from justai_assets_tests.dag.shared_org import Shared
from justai_assets_tests.sources.delta_share.shared import D1, D2, D3, NAME, all_days, events, replace_day, write


def test_a_range_materializes_the_mirror_and_the_unified_stream_with_their_checks(shared: Shared) -> None:
    job = shared.definitions.resolve_implicit_global_asset_job_def()
    keys = [table_key("acme", DELTA_SHARE), table_key("acme", UNIFIED_EVENTS)]
    result = job.execute_in_process(asset_selection=keys, tags=range_tags(all_days()), instance=shared.instance)
    assert result.success
    assert shared.lake.counts("acme", UNIFIED_EVENTS, all_days()) == {D1: 5, D2: 5, D3: 5}
    checks = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert checks["conservation"].passed
    assert not checks["share_credential"].passed
    assert checks["share_credential"].severity == dg.AssetCheckSeverity.WARN
    assert "expires in 3.0 days" in (checks["share_credential"].description or "")


def test_a_share_that_breaks_the_contract_fails_a_check_until_it_keeps_it_again(shared: Shared) -> None:
    shared.mirror()
    write(shared.folder / "typed", events(D1).with_columns(template_id=pl.lit(501, pl.Int64)))
    for _ in range(3):
        write(shared.folder / "typed", events(D1).with_columns(template_id=pl.lit(501, pl.Int64)))
    shared.server.offer(NAME, shared.folder / "typed")
    job = shared.definitions.resolve_job_def("mirror_share")
    config = {"ops": {"mirror_days": {"config": {"org": "acme"}}}}
    broken = job.execute_in_process(run_config=config, instance=shared.instance, raise_on_error=False)
    assert not broken.success
    check = last_evaluation(shared)
    assert not check.passed
    assert "template_id is long" in (check.description or "")
    shared.server.requests.clear()
    refreshed = shared.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[table_key("acme", DELTA_SHARE)],
        tags=range_tags(all_days()),
        instance=shared.instance,
        raise_on_error=False,
    )
    assert not refreshed.success
    assert not last_evaluation(shared).passed
    assert shared.mirrored() == {D1, D2, D3}
    shared.server.offer(NAME, shared.source)
    assert [one.passed for one in shared.mirror().get_asset_check_evaluations()] == [True]


def test_a_day_of_the_mirror_that_fails_a_blocking_check_goes_no_further_until_it_is_sound(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mirror's job is no asset: its evaluations count only with the materialization that they judged."""
    cursor = None

    def requested() -> set[str]:
        nonlocal cursor
        found = dg.evaluate_automation_conditions(shared.definitions, shared.instance, cursor=cursor)
        cursor = found.cursor
        return set(found.get_requested_partitions(table_key("acme", UNIFIED_EVENTS)))

    def judge(_: Lake, __: str, table: Table, judged: Days) -> list[Verdict]:
        return [Verdict(day, {}, ("an address",) if day == D2 and table is DELTA_SHARE else ()) for day in judged]

    assert requested() == set()
    with monkeypatch.context() as patch:
        patch.setattr("justai_assets.dag.day_checks.no_pii", judge)
        shared.mirror()
    assert requested() == {str(D1), str(D3)}
    assert requested() == set()
    replace_day(shared.source, D2, events(D2, 9))
    shared.mirror()
    assert requested() == {str(D2)}


def last_evaluation(shared: Shared) -> dg.AssetCheckEvaluation:
    key = dg.AssetCheckKey(table_key("acme", DELTA_SHARE), "share_contract")
    record = shared.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    assert record.event is not None
    assert record.event.dagster_event is not None
    found = record.event.dagster_event.event_specific_data
    assert isinstance(found, dg.AssetCheckEvaluation)
    return found


def refresh(shared: Shared, **tags: str) -> dg.ExecuteInProcessResult:
    job = shared.definitions.resolve_implicit_global_asset_job_def()
    key = table_key("acme", DELTA_SHARE)
    return job.execute_in_process(
        asset_selection=[key], tags={**range_tags(all_days()), **tags}, instance=shared.instance
    )


def test_the_daily_refresh_of_an_unchanged_share_costs_one_request_and_tells_the_days_as_they_are(
    shared: Shared,
) -> None:
    shared.mirror()
    version = delta_version(shared)
    shared.server.requests.clear()
    result = refresh(shared, **{"dagster/schedule_name": "refresh_last_days"})
    assert [kind for kind, _ in shared.server.requests] == ["version"]
    assert delta_version(shared) == version
    rows = {one.partition: one.step_materialization_data.materialization.metadata for one in result.all_events
            if one.is_step_materialization}  # fmt: skip
    assert {day: found["dagster/partition_row_count"].value for day, found in rows.items()} == {
        str(day): 5 for day in (D1, D2, D3)
    }
    replace_day(shared.source, D2, events(D2, 9))
    refresh(shared, **{"dagster/schedule_name": "refresh_last_days"})
    assert shared.lake.counts("acme", DELTA_SHARE, all_days()) == {D1: 5, D2: 9, D3: 5}


def test_a_day_that_a_person_materializes_is_written_though_it_is_unchanged(shared: Shared) -> None:
    shared.mirror()
    version = delta_version(shared)
    refresh(shared)
    assert delta_version(shared) > version


def delta_version(shared: Shared) -> int:
    found = shared.lake.open("acme", DELTA_SHARE)
    assert found is not None
    return found.version()


def test_a_mirror_that_nothing_brought_up_to_date_for_a_day_shows_as_late(shared: Shared) -> None:
    (spec,) = [spec for asset in share_assets(shared.org) for spec in asset.specs
               if spec.key == table_key("acme", DELTA_SHARE)]  # fmt: skip
    assert spec.freshness_policy is not None


def test_a_mirrored_day_rebuilds_that_day_of_the_unified_stream(shared: Shared) -> None:
    definitions = shared.definitions
    first = dg.evaluate_automation_conditions(definitions, shared.instance)
    shared.mirror()
    second = dg.evaluate_automation_conditions(definitions, shared.instance, cursor=first.cursor)
    assert second.get_requested_partitions(table_key("acme", UNIFIED_EVENTS)) == {str(day) for day in (D1, D2, D3)}
    replace_day(shared.source, D2, events(D2, 9))
    shared.mirror()
    third = dg.evaluate_automation_conditions(definitions, shared.instance, cursor=second.cursor)
    assert third.get_requested_partitions(table_key("acme", UNIFIED_EVENTS)) == {str(D2)}


@pytest.mark.parametrize("by_asset", [True, False])
def test_days_that_a_failing_run_brought_up_to_date_are_built_below(shared: Shared, by_asset: bool) -> None:
    """Unreported, nothing below would ever be built from them."""
    shared.mirror()
    for day in (D1, D2, D3):
        replace_day(shared.source, day, events(day, 9, tag="new"))
    newest = sorted(shared.source.rglob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)[-3:]
    (damaged,) = [path for path in newest if pl.read_parquet(path)["message_id"][0].startswith("new-0102")]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:4] + bytes(60) + whole[64:])
    before = dg.evaluate_automation_conditions(shared.definitions, shared.instance)
    if by_asset:
        with pytest.raises(dg.Failure):
            refresh(shared)
        assert shared.tick().run_requests
    with pytest.raises(dg.Failure):
        shared.mirror()
    assert shared.lake.counts("acme", DELTA_SHARE, all_days()) == {D1: 9, D2: 5, D3: 9}
    after = dg.evaluate_automation_conditions(shared.definitions, shared.instance, cursor=before.cursor)
    assert set(after.get_requested_partitions(table_key("acme", UNIFIED_EVENTS))) == {str(D1), str(D3)}


def test_a_file_whose_days_nothing_tells_keeps_no_day_from_being_built_below(shared: Shared) -> None:
    before = dg.evaluate_automation_conditions(shared.definitions, shared.instance)
    write(shared.folder / "whole", events(D1), by_day=False)
    held = set((shared.folder / "whole").rglob("*.parquet"))
    write(shared.folder / "whole", pl.concat([events(D1, tag="more"), events(D2)]), by_day=False)
    (damaged,) = set((shared.folder / "whole").rglob("*.parquet")) - held
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:4] + bytes(60) + whole[64:])
    shared.server.offer(NAME, shared.folder / "whole")
    with pytest.raises(dg.Failure, match="10 rows, of days within 2026-01-01"):
        shared.mirror()
    (report,) = shared.instance.fetch_materializations(table_key("acme", DELTA_SHARE), limit=5).records
    assert report.asset_materialization is not None
    assert report.partition_key == str(D1)
    assert "may be incomplete" in str(report.asset_materialization.metadata["remarks"].value)
    after = dg.evaluate_automation_conditions(shared.definitions, shared.instance, cursor=before.cursor)
    assert set(after.get_requested_partitions(table_key("acme", UNIFIED_EVENTS))) == {str(D1)}
