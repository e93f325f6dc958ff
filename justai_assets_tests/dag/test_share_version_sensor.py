"""The sensor, the schedule and the job that mirror shares."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

import dagster as dg
import polars as pl
import pytest
from deltalake import DeltaTable

from justai_assets.dag import share_version_sensor as delta_share_versions
from justai_assets.dag.share_version_sensor import mirror_job, recheck_schedule
from justai_assets.sources.delta_share.mirror_state import sole_user
from justai_assets_tests.dag.shared_org import Shared, days_of
from justai_assets_tests.sources.delta_share.shared import D1, D2, D3, events, replace_day, write


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
