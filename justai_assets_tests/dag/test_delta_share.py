from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from deltalake import DeltaTable

from justai_assets.contract.tables import DELTA_SHARE, UNIFIED_EVENTS
from justai_assets.dag.checks import table_checks
from justai_assets.dag.delta_share import credential_check, share_assets
from justai_assets.dag.delta_share_versions import due, mirror_job, recheck_schedule, versions_sensor
from justai_assets.dag.org_assets import table_key
from justai_assets.dag.partitions import range_tags
from justai_assets.dag.resources import Platform
from justai_assets.lake.store import Lake
from justai_assets.orgs.load import load_org
from justai_assets.orgs.model import Org
from justai_assets.storage import Root
from justai_assets_tests.share_server import ShareServer
from justai_assets_tests.sources.delta_share.shared import D1, D2, D3, NAME, all_days, events, replace_day, write

ORG = """
slug: acme
start_date: 2026-01-01
pseudonym_salt: env:ACME_SALT
engagement: delta_share
sources:
  delta_share: {{profile: "file:{profile}", table: {table}}}
"""


@dataclass
class Shared:
    folder: Path
    server: ShareServer
    org: Org
    instance: dg.DagsterInstance

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def platform(self) -> Platform:
        return Platform(landing_url=str(self.folder / "landing"), lake_url=str(self.folder / "lake"))

    @property
    def lake(self) -> Lake:
        return Lake(Root.parse(str(self.folder / "lake")))

    @property
    def definitions(self) -> dg.Definitions:
        job = mirror_job([self.org])
        return dg.Definitions(
            assets=share_assets(self.org),
            asset_checks=[*table_checks(self.org), credential_check(self.org)],
            jobs=[job],
            sensors=[versions_sensor([self.org], job)],
            schedules=[recheck_schedule([self.org], job)],
            resources={"platform": self.platform},
            executor=dg.in_process_executor,
        )

    def mirror(self, **config: Any) -> dg.ExecuteInProcessResult:
        run_config = {"ops": {"mirror_days": {"config": {"org": "acme", **config}}}}
        job = self.definitions.resolve_job_def("mirror_share")
        return job.execute_in_process(run_config=run_config, instance=self.instance)

    def tick(self, cursor: str | None = None) -> dg.SensorResult:
        job = mirror_job([self.org])
        context = dg.build_sensor_context(instance=self.instance, cursor=cursor)
        result = versions_sensor([self.org], job)(context, platform=self.platform)
        assert isinstance(result, dg.SensorResult)
        return result

    def mirrored(self) -> set[date]:
        return set(self.lake.scan("acme", DELTA_SHARE).collect()["event_date"])


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    monkeypatch.setenv("ACME_SALT", "a salt")
    monkeypatch.setenv("JUSTAI_WORK", str(tmp_path / "work"))
    with ShareServer({NAME: tmp_path / "source"}) as server, dg.DagsterInstance.ephemeral() as instance:
        for day in (D1, D2, D3):
            write(tmp_path / "source", events(day))
        profile = tmp_path / "acme.share"
        soon = datetime.now(UTC) + timedelta(days=3)
        profile.write_text(server.profile(expiration=soon.isoformat()))
        file = tmp_path / "acme.yaml"
        file.write_text(ORG.format(profile=profile, table=NAME))
        yield Shared(tmp_path, server, load_org(file), instance)


def days_of(result: dg.ExecuteInProcessResult) -> list[str | None]:
    events_ = [event for event in result.all_events if event.is_step_materialization]
    return [event.partition for event in events_ if event.asset_key == table_key("acme", DELTA_SHARE)]


def test_the_job_reports_each_day_it_touched_and_no_other(shared: Shared) -> None:
    assert days_of(shared.mirror()) == [str(day) for day in (D1, D2, D3)]
    replace_day(shared.source, D2, events(D2, 9))
    DeltaTable(shared.source).delete(f"event_date = '{D3}'")
    assert days_of(shared.mirror()) == [str(D2), str(D3)]
    assert shared.mirrored() == {D1, D2}
    assert days_of(shared.mirror()) == []


def test_a_day_outside_the_orgs_partitions_is_mirrored_but_reported_to_no_partition(shared: Shared) -> None:
    early = date(2025, 12, 31)
    write(shared.source, events(early))
    assert str(early) not in days_of(shared.mirror())
    assert early in shared.mirrored()


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


def test_a_moved_version_starts_the_job_once_and_a_standing_one_costs_one_request(shared: Shared) -> None:
    first = shared.tick()
    (request,) = first.run_requests or []
    assert request.run_config["ops"]["mirror_days"]["config"]["org"] == "acme"
    again = shared.tick(first.cursor).run_requests or []
    assert [one.run_key for one in again] == [request.run_key], "Dagster launches a run key once"
    shared.mirror()
    shared.server.requests.clear()
    assert not shared.tick(first.cursor).run_requests
    assert [kind for kind, _ in shared.server.requests] == ["version"]
    replace_day(shared.source, D2, events(D2, 9))
    (next_,) = shared.tick(first.cursor).run_requests or []
    assert next_.run_key != request.run_key


def test_a_share_that_fails_is_left_alone_for_a_while(shared: Shared) -> None:
    shared.server.break_("version", "status", status=503)
    failed = shared.tick()
    assert not failed.run_requests
    shared.server.requests.clear()
    shared.tick(failed.cursor)
    assert shared.server.requests == []


def test_shares_are_asked_in_turn_and_failing_ones_after_a_growing_wait() -> None:
    seen = {"a": {"polled": 100.0, "failures": 0}, "b": {"polled": 50.0, "failures": 0}}
    assert due(seen, ["a", "b", "new"], 200.0) == ["new", "b", "a"]
    failing = {"a": {"polled": 100.0, "failures": 2}}
    assert due(failing, ["a"], 219.0) == []
    assert due(failing, ["a"], 220.0) == ["a"]
    assert due({"a": {"polled": 0.0, "failures": 99}}, ["a"], 3600.0) == ["a"]


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


def test_a_lasting_failure_fails_with_code_and_mend_and_keeps_the_mirror(shared: Shared) -> None:
    shared.mirror()
    shared.server.break_("version", "status", status=403)
    job = shared.definitions.resolve_job_def("mirror_share")
    config = {"ops": {"mirror_days": {"config": {"org": "acme"}}}}
    result = job.execute_in_process(run_config=config, instance=shared.instance, raise_on_error=False)
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failure.user_failure_data is not None
    assert failure.user_failure_data.metadata["code"].value == "share_access"
    assert "GRANT SELECT" in str(failure.user_failure_data.metadata["mend"].value)
    assert shared.server.access.bearer not in str(failure)
    assert shared.mirrored() == {D1, D2, D3}


def test_the_daily_recheck_asks_every_share(shared: Shared) -> None:
    schedule = recheck_schedule([shared.org], mirror_job([shared.org]))
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 1, 5, 4, 30, tzinfo=UTC))
    (request,) = schedule.evaluate_tick(context).run_requests or []
    assert request.run_config["ops"]["mirror_days"]["config"] == {"org": "acme", "recheck": True}
    assert days_of(shared.mirror(recheck=True)) == [str(day) for day in (D1, D2, D3)]


def test_undated_rows_go_to_quarantine_and_to_no_partition(shared: Shared) -> None:
    write(shared.source, events(D1, 2).with_columns(pl.lit(None, pl.Date).alias("event_date")))
    assert days_of(shared.mirror()) == [str(day) for day in (D1, D2, D3)]


def test_an_emptied_share_empties_the_mirror_only_when_somebody_accepts_it(shared: Shared) -> None:
    shared.mirror()
    DeltaTable(shared.source).delete()
    with pytest.raises(dg.Failure, match="3 days of it were mirrored"):
        shared.mirror()
    assert shared.mirrored() == {D1, D2, D3}
    assert days_of(shared.mirror(accept_empty=True)) == [str(day) for day in (D1, D2, D3)]
    assert shared.mirrored() == set()
