"""The automation condition evaluated as the daemon does it, for tests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.automation_tick_evaluation_context import build_run_requests_with_backfill_policies
from dagster._core.definitions.events import AssetKeyPartitionKey

from justai_assets.contract.days import Days
from justai_assets.dag.location import location
from justai_assets.dag.partitions import range_tags
from justai_assets.orgs.org_loader import Orgs
from justai_assets_tests.world import World

TODAY = date(2026, 6, 30)


def spread(first: str, last: str) -> set[str]:
    return {str(day) for day in Days.parse(first, last)}


class Automation:
    """The location of a world and an instance, with the daemon's clock in our hands."""

    def __init__(self, world: World) -> None:
        self.definitions = location(Orgs(world.orgs, {}))
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursor = None
        self.now = datetime(2026, 6, 30, 12, tzinfo=UTC)
        self.requested: dict[str, set[str]] = {}
        self.tick()

    def tick(self) -> dict[str, set[str]]:
        """Evaluate; the partitions requested, by table."""
        self.now += timedelta(minutes=1)
        result = dg.evaluate_automation_conditions(
            self.definitions, self.instance, cursor=self.cursor, evaluation_time=self.now
        )
        self.cursor = result.cursor
        keys = self.definitions.resolve_asset_graph().materializable_asset_keys
        found = {"/".join(key.path): set(result.get_requested_partitions(key)) for key in keys}
        self.requested = {key: days for key, days in found.items() if days}
        return {key.rpartition("/")[2]: days for key, days in self.requested.items()}

    def landed(self, name: str, days: Iterable[str], org: str = "acme") -> None:
        """What a door's sensor reports."""
        for day in sorted(days):
            self.instance.report_runless_asset_event(dg.AssetMaterialization([org, name], partition=day))

    def run(self, days: Days, *names: str, org: str = "acme") -> bool:
        """A real ranged run of tables, as the backfill daemon would launch it."""
        job = self.definitions.resolve_implicit_global_asset_job_def()
        selection = [dg.AssetKey([org, name]) for name in names]
        with pytest.MonkeyPatch.context() as quiet:
            quiet.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
            return job.execute_in_process(
                asset_selection=selection, instance=self.instance, tags=range_tags(days), raise_on_error=False
            ).success

    def settle(self) -> list[tuple[str, set[str]]]:
        """Tick and run what was requested until nothing is; the (table, days) that ran, in order."""
        ran = []
        for _ in range(10):
            requested = self.tick()
            if not requested:
                return ran
            for run in self.runs():
                ran.append(run)
                (key, days) = run
                assert self.run(Days.parse(min(days), max(days)), key.rpartition("/")[2])
        raise AssertionError(f"automation never comes to rest: {ran[-3:]}")

    def runs(self) -> list[tuple[str, set[str]]]:
        """The runs that the backfill daemon makes of the last tick's requests."""
        graph = self.definitions.resolve_asset_graph()
        found = []
        for key, days in self.requested.items():
            partitions = {AssetKeyPartitionKey(dg.AssetKey(key.split("/")), day) for day in days}
            for request in build_run_requests_with_backfill_policies(partitions, graph, self.instance):
                first = request.tags["dagster/asset_partition_range_start"]
                found.append((key, spread(first, request.tags["dagster/asset_partition_range_end"])))
        return found
