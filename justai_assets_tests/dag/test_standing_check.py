from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from justai_assets.contract.days import Days
from justai_assets.contract.errors import JustAIError
from justai_assets.dag.backfills import backfill_status, plan_backfill, request_backfill
from justai_assets.dag.failed_days_check import unfinished_days
from justai_assets.dag.org_files import org_files_key
from justai_assets.dag.standing_check import JOB, NAME
from justai_assets_tests.dag.demo_week import DAYS, TABLES, Week

TODAY = date(2026, 1, 9)


def leave_failed(week: Week, instance: dg.DagsterInstance, day: date) -> None:
    """A day of esp_events whose last attempt failed, after all days had succeeded."""
    assert week.run(instance, TABLES).success
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("justai_assets.dag.org_assets.build_from_doors", lambda *_, **__: 1 / 0)
        assert not week.run(instance, ["esp_events"], Days(day, day)).success


def test_days_left_failed_are_listed_by_table(week: Week, instance: dg.DagsterInstance) -> None:
    leave_failed(week, instance, DAYS.first)
    found = {one.key.path[-1]: one for one in unfinished_days(instance, week.org("acme"), DAYS)}
    assert found["esp_events"].failed == (DAYS.first,)
    assert found["custom_events"].failed == ()
    assert all(one.missing == () for one in found.values())


@pytest.mark.parametrize("days", [DAYS, Days(DAYS.first, DAYS.first)], ids=["a range", "a day"])
def test_days_whose_blocking_check_failed_or_was_not_carried_out_are_left_failed_until_they_are_sound(
    week: Week, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, days: Days
) -> None:
    def failed() -> dict[str, tuple[date, ...]]:
        return {one.key.path[-1]: one.failed for one in unfinished_days(instance, week.org("acme"), DAYS) if one.failed}

    with monkeypatch.context() as patch:
        patch.setattr("justai_assets.quality.pii._PSEUDONYM", "^never$")
        assert not week.run(instance, ["esp_events"], days).success
    assert failed() == {"esp_events": tuple(days)}
    plan = plan_backfill(instance, week.org("acme"), DAYS, "failed", today=TODAY)
    assert plan.days_by_table[dg.AssetKey(["acme", "unified_events"])] == tuple(days)
    with monkeypatch.context() as patch:
        patch.setattr("justai_assets.dag.day_checks.no_pii", lambda *_: 1 / 0)
        assert not week.run(instance, ["esp_events"], days).success
    assert failed() == {"esp_events": tuple(days)}
    assert week.run(instance, ["esp_events"], days).success
    assert failed() == {}


def test_the_standing_check_names_table_and_days_and_mends_itself(week: Week, instance: dg.DagsterInstance) -> None:
    job = week.definitions.resolve_job_def(JOB)

    def check() -> dg.AssetCheckEvaluation:
        result = job.execute_in_process(instance=instance)
        return next(one for one in result.get_asset_check_evaluations() if one.check_name == NAME)

    assert check().passed
    leave_failed(week, instance, DAYS.first)
    left = check()
    assert not left.passed
    assert left.asset_key == org_files_key()
    assert left.metadata["problems"].value == f"- acme/esp_events: {DAYS.first}"
    assert week.run(instance, ["esp_events"], Days(DAYS.first, DAYS.first)).success
    assert check().passed


def test_only_failed_takes_the_days_below_with_it_and_leaves_good_days(
    week: Week, instance: dg.DagsterInstance
) -> None:
    leave_failed(week, instance, DAYS.first)
    plan = plan_backfill(instance, week.org("acme"), DAYS, "failed", today=TODAY)
    days = {key.path[-1]: days for key, days in plan.days_by_table.items()}
    below = (
        "esp_events",
        "attributed_events",
        "unified_events",
        "attribution_metrics",
        "message_outcomes",
        "copy_daily",
    )
    assert days == dict.fromkeys(below, (DAYS.first,))


def test_only_missing_takes_what_was_never_built(week: Week, instance: dg.DagsterInstance) -> None:
    assert week.run(instance, TABLES, Days(DAYS.first, DAYS.first)).success
    plan = plan_backfill(instance, week.org("acme"), DAYS, "missing", ["custom_events"], today=TODAY)
    assert {key.path[-1]: days for key, days in plan.days_by_table.items()} == {"custom_events": tuple(DAYS)[1:]}


def test_all_takes_every_day_of_every_table(week: Week, instance: dg.DagsterInstance) -> None:
    assert plan_backfill(instance, week.org("acme"), DAYS, "all", today=TODAY).count == len(DAYS) * len(TABLES)


def test_nothing_failed_gives_an_empty_plan(week: Week, instance: dg.DagsterInstance) -> None:
    assert plan_backfill(instance, week.org("acme"), DAYS, "failed", today=TODAY).count == 0


@pytest.mark.parametrize("days", [Days(date(2025, 1, 1), DAYS.last), Days(DAYS.first, date(2026, 1, 10))])
def test_days_that_the_org_does_not_have_are_refused(week: Week, instance: dg.DagsterInstance, days: Days) -> None:
    with pytest.raises(JustAIError, match="acme has the days"):
        plan_backfill(instance, week.org("acme"), days, "all", today=TODAY)


def test_a_table_that_the_org_does_not_have_is_refused(week: Week, instance: dg.DagsterInstance) -> None:
    with pytest.raises(JustAIError, match="has no table nonsense"):
        plan_backfill(instance, week.org("acme"), DAYS, "all", ["nonsense"], today=TODAY)


def test_a_requested_backfill_is_in_the_instance_with_its_org(week: Week, tmp_path: Path) -> None:
    home = tmp_path / "instance"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        plan = plan_backfill(instance, week.org("acme"), DAYS, "all", today=TODAY)
        backfill_id = request_backfill(instance, plan, now=datetime(2026, 1, 9, tzinfo=UTC))
        found = instance.get_backfill(backfill_id)
        assert found is not None
        assert found.tags["org"] == "acme"
        assert backfill_status(instance, backfill_id) == ("REQUESTED", False)
        with pytest.raises(JustAIError):
            backfill_status(instance, "nonsense")
