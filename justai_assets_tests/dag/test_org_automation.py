"""The automation sensor on a real instance: which orgs it evaluates, and what it asks for."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor
from dagster._core.definitions.automation_tick_evaluation_context import AutomationTickEvaluationContext
from dagster._core.test_utils import create_run_for_test
from dagster._daemon.asset_daemon import asset_daemon_cursor_to_instigator_serialized_cursor

from justai_assets.contract.days import Days
from justai_assets.contract.tables import TABLES, UNIFIED_EVENTS
from justai_assets.dag.automation_turns import Turns
from justai_assets.dag.location import location
from justai_assets.dag.org_automation import OrgAutomationSensor
from justai_assets.dag.partitions import range_tags
from justai_assets.lake.live_files import held
from justai_assets.orgs.org_loader import Orgs
from justai_assets_tests.world import WEBHOOK_ORG, World, esp

NOON = datetime(2026, 6, 30, 12, tzinfo=UTC)


class Ticks:
    """The sensor of a world's location, its instance, and its clock in our hands."""

    def __init__(self, world: World, instance: dg.DagsterInstance) -> None:
        self.repository = location(Orgs(world.orgs, {})).get_repository_def()
        self.instance = instance
        self.now = NOON
        sensor = self.repository.get_sensor_def("rebuild_changed_days")
        assert isinstance(sensor, OrgAutomationSensor)
        sensor._now = lambda: self.now
        self.sensor = sensor
        self.cursor: str | None = None

    def tick(self, minutes: float = 1) -> list[dg.RunRequest]:
        self.now += timedelta(minutes=minutes)
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, repository_def=self.repository)
        done = self.sensor.evaluate_tick(context)
        self.cursor = done.cursor
        return list(done.run_requests or [])

    def evaluated(self) -> set[str]:
        """The orgs that the last tick evaluated."""
        turns = Turns.parse(self.cursor)
        return {slug for slug, turn in turns.orgs.items() if turn.at >= self.now.timestamp()}

    def landed(self, org: str, *days: str) -> None:
        for day in days:
            self.instance.report_runless_asset_event(dg.AssetMaterialization([org, "iterable_webhooks"], partition=day))


@pytest.fixture
def ticks(world: World) -> Ticks:
    world.add_org(WEBHOOK_ORG)
    world.add_org(WEBHOOK_ORG, slug="globex")
    made = Ticks(world, dg.DagsterInstance.ephemeral())
    assert made.tick() == []
    assert made.evaluated() == {"acme", "globex"}
    return made


def orgs_of(request: dg.RunRequest) -> set[str]:
    subset = request.asset_graph_subset
    return {key.path[0] for key in (subset.asset_keys if subset else request.asset_selection or [])}


def runs_of(ticks: Ticks, request: dg.RunRequest) -> list[tuple[list[str], list[dg.AssetKey]]]:
    """The (days, tables) of the runs that a request leads to, as the daemon makes them; without those of the report."""
    subset, graph = request.asset_graph_subset, ticks.repository.asset_graph
    if subset is None:
        keys = list(request.asset_selection or [])
        return [([request.partition_key], keys)] if request.partition_key else []
    found: dict[tuple[str, ...], list[dg.AssetKey]] = {}
    for key in graph.toposorted_asset_keys:
        if key in subset.partitions_subsets_by_asset_key:
            days = sorted(subset.get_partitions_subset(key).get_partition_keys())
            found.setdefault(tuple(days), []).append(key)
    return [(list(days), keys) for days, keys in found.items()]


@pytest.mark.parametrize("days", [["2026-01-10"], ["2026-01-10", "2026-01-11", "2026-02-01"]])
def test_a_run_and_a_backfill_have_one_org_and_its_tag(ticks: Ticks, days: list[str]) -> None:
    """Both orgs have the same partitions, which Dagster's own sensor puts into one run without a tag."""
    ticks.landed("acme", *days)
    ticks.landed("globex", *days)
    asked = ticks.tick()
    assert [(request.tags["org"], orgs_of(request)) for request in asked] == [
        ("acme", {"acme"}),
        ("globex", {"globex"}),
    ]


def test_an_org_that_rests_is_not_evaluated(ticks: Ticks) -> None:
    ticks.tick(minutes=5 * 60)
    assert ticks.tick() == []
    assert ticks.evaluated() == set()
    ticks.landed("acme", "2026-01-10")
    assert len(ticks.tick()) == 1
    assert ticks.evaluated() == {"acme"}


def test_nobody_is_left_alone_for_good(ticks: Ticks) -> None:
    ticks.tick(minutes=5 * 60)
    assert ticks.tick(minutes=6 * 60) == []
    assert ticks.evaluated() == {"acme", "globex"}


def test_a_run_that_ends_without_an_event_of_an_asset_is_noticed(ticks: Ticks) -> None:
    ticks.now = datetime.now(UTC)
    ticks.tick(0)
    ticks.tick(0.01)
    assert ticks.evaluated() == set()
    create_run_for_test(ticks.instance, tags={"org": "acme"}, status=dg.DagsterRunStatus.SUCCESS)
    ticks.tick(0.01)
    assert ticks.evaluated() == {"acme"}


def test_what_dagsters_own_sensor_remembered_is_taken_over(world: World) -> None:
    """An update between the last tick of the old sensor and the first of this one is not lost."""
    world.add_org(WEBHOOK_ORG)
    ticks = Ticks(world, dg.DagsterInstance.ephemeral())
    graph = ticks.repository.asset_graph
    old = AutomationTickEvaluationContext(
        evaluation_id=1,
        instance=ticks.instance,
        asset_graph=graph,
        cursor=AssetDaemonCursor.empty(),
        materialize_run_tags={},
        observe_run_tags={},
        auto_observe_asset_keys=set(),
        asset_selection=dg.AssetSelection.all(),
        logger=dg.build_sensor_context().log,
        emit_backfills=True,
        evaluation_time=ticks.now,
    )
    ticks.cursor = asset_daemon_cursor_to_instigator_serialized_cursor(old.evaluate()[1])
    ticks.landed("acme", "2026-01-10")
    assert [orgs_of(request) for request in ticks.tick()] == [{"acme"}]


@pytest.mark.slow
def test_a_file_every_thirty_seconds_rebuilds_today_once_a_batch(world: World) -> None:
    """An hour of them: five builds at most, the last one knows the last file, and the lake is thrice its live bytes at most."""
    world.add_org(WEBHOOK_ORG)
    ticks = Ticks(world, dg.DagsterInstance.ephemeral())
    today = str(date(2026, 6, 30))
    ticks.tick()
    built: Counter[str] = Counter()
    files = rows = 0
    for minute in range(95):
        for second in (0, 30) if minute < 60 else ():
            if minute % 15 == 14 or minute < 1:
                # Few files, many reports: the reports decide how often a run is asked for. Two files hold what came
                # since the two before: a minute's events at first, a quarter of an hour's then.
                count = 4_000 if minute else 4_000 // 15
                at = f"{today} {minute // 60:02}:{minute % 60:02}:{second:02}"
                events = [
                    esp("emailSend", at, f"p{n}@example.com", messageId=f"m{n}") for n in range(rows, rows + count)
                ]
                world.land("iterable_webhooks", "acme", today, events, name=f"{files:04}")
                files, rows = files + 1, rows + count
            ticks.landed("acme", today)
        for request in ticks.tick():
            for days, keys in runs_of(ticks, request):
                built.update(key.path[-1] for key in keys if today in days)
                done = ticks.repository.get_implicit_global_asset_job_def().execute_in_process(
                    asset_selection=keys,
                    instance=ticks.instance,
                    tags={"org": "acme", **range_tags(Days.parse(days[0], days[-1]))},
                )
                assert done.success
    tables = ("esp_events", "attributed_events", "unified_events", "attribution_metrics", "message_outcomes")
    assert all(1 <= built[table] <= 5 for table in tables), built
    assert world.table(UNIFIED_EVENTS).height == rows
    live = sum(
        held(world.lake, "acme", one, Days.parse(today, today))[date(2026, 6, 30)].bytes for one in TABLES.values()
    )
    assert live > 1_000_000
    assert sum(found.size for found in world.lake.root.list("acme")) <= 3 * live, "no file was old enough to be removed"
