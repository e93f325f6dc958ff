import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from deltalake import DeltaTable

from justai_assets.contract.days import Days
from justai_assets.contract.tables import DELTA_SHARE, UNIFIED_EVENTS, Table
from justai_assets.dag import delta_share_versions
from justai_assets.dag.checks import table_checks
from justai_assets.dag.delta_share import contract_check, credential_check, share_assets
from justai_assets.dag.delta_share_versions import mirror_job, recheck_schedule, versions_sensor
from justai_assets.dag.org_keys import table_key
from justai_assets.dag.partitions import range_tags
from justai_assets.dag.resources import Platform
from justai_assets.lake.store import Lake
from justai_assets.orgs.load import load_org
from justai_assets.orgs.model import Org
from justai_assets.quality.verdict import Verdict
from justai_assets.sources.delta_share.keep import sole_user
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
            asset_checks=[*table_checks(self.org), credential_check(self.org), contract_check(self.org)],
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
    assert not shared.tick(first.cursor).run_requests, "the run is given a minute before the next one"
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


def test_a_failed_run_is_asked_for_again_under_a_key_of_its_own(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr(delta_share_versions.time, "time", lambda: now)
    keys = []
    cursor = None
    for wait in (0, 59, 1, 119, 1):
        now += wait
        result = shared.tick(cursor)
        cursor = result.cursor
        keys.append([one.run_key for one in result.run_requests or []])
    assert [len(one) for one in keys] == [1, 0, 1, 0, 1]
    assert len({key for one in keys for key in one}) == 3


def test_a_lost_state_is_asked_for_though_the_same_work_was_done_before(shared: Shared) -> None:
    first = shared.tick()
    shared.mirror()
    done = shared.tick(first.cursor)
    (shared.folder / "lake/acme/delta_share.state.json").unlink()
    (again,) = shared.tick(done.cursor).run_requests or []
    assert again.run_key


def test_no_second_run_is_asked_for_while_one_waits_or_runs(shared: Shared) -> None:
    job = shared.definitions.resolve_job_def("mirror_share")
    tags = {"org": "acme", "door": "delta_share"}
    config = {"ops": {"mirror_days": {"config": {"org": "acme"}}}}
    run = shared.instance.create_run_for_job(job, run_config=config, tags=tags, status=dg.DagsterRunStatus.STARTED)
    assert not shared.tick().run_requests
    assert shared.server.requests == []
    shared.instance.report_run_failed(run)
    assert shared.tick().run_requests


def test_a_share_that_lastingly_refuses_gets_one_run_that_fails_loudly(shared: Shared) -> None:
    shared.server.break_("version", "status", status=403)
    failed = shared.tick()
    (request,) = failed.run_requests or []
    assert "broken:share_access" in str(request.run_key)
    turns = json.loads(failed.cursor or "")
    turns["acme"]["polled"] = 0
    assert not shared.tick(json.dumps(turns)).run_requests


def test_an_org_whose_credential_cannot_even_be_read_does_not_keep_the_others_waiting(shared: Shared) -> None:
    (shared.folder / "acme.share").write_bytes(b"\xff\xfe\x00{")
    failed = shared.tick()
    assert json.loads(failed.cursor or "")["acme"]["failures"] == 1


def test_a_run_that_meets_another_ends_quietly(shared: Shared) -> None:
    with sole_user(shared.folder / "work" / "delta_share" / "acme"):
        assert days_of(shared.mirror()) == []
    assert days_of(shared.mirror()) == [str(day) for day in (D1, D2, D3)]


def test_a_run_waits_for_the_pool_of_the_mirror_and_ends_quietly_when_it_stays_taken(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, float]] = []

    @contextmanager
    def taken(_: object, __: object, pool: str, *, wait_seconds: float) -> Iterator[bool]:
        asked.append((pool, wait_seconds))
        yield False

    monkeypatch.setattr(delta_share_versions, "slot", taken)
    assert days_of(shared.mirror()) == []
    assert asked == [("acme_delta_share", delta_share_versions.POOL_WAIT_SECONDS)]
    assert shared.server.requests == []


def test_the_job_logs_the_checks_of_the_days_it_touched(shared: Shared) -> None:
    shared.mirror()
    replace_day(shared.source, D2, events(D2, 9))
    checks = shared.mirror().get_asset_check_evaluations()
    assert {(one.check_name, one.partition) for one in checks if one.check_name != "share_contract"} >= {
        ("contract", str(D2)), ("conservation", str(D2)), ("no_pii", str(D2)),
    }  # fmt: skip
    assert {one.partition for one in checks} == {str(D2), None}
    assert all(one.passed for one in checks)


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
