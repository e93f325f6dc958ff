"""The sensor that evaluates the conditions org by org: a run has one org, and an org that rests costs nothing.

Dagster's own automation sensor evaluates every table at every tick, and puts tables of equal partitions into one run,
whichever org they are of. Here an org is evaluated when something happened to it, and alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.definitions.automation_tick_evaluation_context import AutomationTickEvaluationContext
from dagster._core.definitions.partitions.subset.time_window import skip_num_partitions_serialization_ctx
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionsFilter, BulkActionStatus
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._daemon.asset_daemon import _CURSOR_COLUMNAR_CLASSES as CURSOR_CLASSES
from dagster._daemon.asset_daemon import asset_daemon_cursor_from_instigator_serialized_cursor
from dagster_shared.serdes.pack import deserialize_deduped, serialize_deduped
from sqlalchemy import select

from justai_assets.dag.automation_turns import Turn, Turns

BUDGET_SECONDS = 40.0
"""Of a tick, whose limit is 60; the orgs that are left come first in the next one."""

BUDGET_CPU_SECONDS = 3.5
"""Of a tick, so that a change of every org at once leaves the code server time for its other sensors."""

CLOCKS_DIFFER_SECONDS = 60.0
"""By how much the clocks of workers and of this process may differ."""

UNFINISHED = [status for status in BulkActionStatus if status not in BULK_ACTION_TERMINAL_STATUSES]
ORG = "org"


class OrgAutomationSensor(dg.AutomationConditionSensorDefinition):
    """An automation sensor whose run requests each belong to one org and carry its tag."""

    def __init__(
        self,
        name: str,
        *,
        now: Callable[[], datetime] | None = None,
        clock: Callable[[], float] = time.monotonic,
        **how: Any,
    ) -> None:
        """As Dagster's, evaluated in the code server.

        Args:
            name: of the sensor.
            now: the current time in UTC.
            clock: seconds that only grow.
            how: everything else that Dagster's own takes.
        """
        super().__init__(name, use_user_code_server=True, **how)
        self._how, self._clock = how, clock
        self._now = now or (lambda: datetime.now(UTC))
        self._raw_fn = partial(_evaluate, self)
        self._evaluation_fn = lambda context: [_evaluate(self, context)]

    def with_attributes(self, *, jobs: Any = None, metadata: Any = None) -> OrgAutomationSensor:  # noqa: ARG002 - Dagster's signature
        """A copy with other metadata."""
        how = {**self._how, **({} if metadata is None else {"metadata": metadata})}
        return OrgAutomationSensor(self.name, now=self._now, clock=self._clock, **how)

    def evaluate_orgs(self, graph: BaseAssetGraph, context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """Evaluate the orgs whose turn it is."""
        keys = conditioned_keys(graph)
        now = self._now()
        turns = _read(context.cursor, graph, keys)
        newest, changed = changed_orgs(context.instance, turns.last_place)
        changed |= orgs_with_moved_runs(context.instance, turns.at)
        began, began_cpu = self._clock(), time.thread_time()
        requests: list[dg.RunRequest] = []
        evaluations: list[Any] = []
        turns = turns.noticed(newest, changed, unfinished_backfills(context.instance), keys, now)
        for slug in turns.due(now):
            kept = turns.orgs[slug].state
            # A new org is taken in at any price: what happens before its first evaluation is nobody's change.
            is_spent = self._clock() - began > BUDGET_SECONDS or time.thread_time() - began_cpu > BUDGET_CPU_SECONDS
            if kept and is_spent:
                break
            state = deserialize_deduped(kept, as_type=AssetDaemonCursor) if kept else AssetDaemonCursor.empty()
            tick = AutomationTickEvaluationContext(
                evaluation_id=state.evaluation_id,
                instance=context.instance,
                asset_graph=graph,
                cursor=state,
                materialize_run_tags={**self.run_tags, ORG: slug},
                observe_run_tags={},
                auto_observe_asset_keys=set(),
                asset_selection=dg.AssetSelection.assets(*keys[slug]).without_checks(),
                emit_backfills=self.emit_backfills,
                logger=context.log,
                evaluation_time=now,
            )
            asked, state, evaluated = tick.evaluate()
            requests += asked
            evaluations += evaluated
            turns = turns.taken(slug, _text(state), now)
        return dg.SensorResult(run_requests=requests, cursor=turns.text(), automation_condition_evaluations=evaluations)


def _evaluate(sensor: OrgAutomationSensor, context: dg.SensorEvaluationContext) -> dg.SensorResult:
    assert context.repository_def is not None
    return sensor.evaluate_orgs(context.repository_def.asset_graph, context)


def conditioned_keys(graph: BaseAssetGraph) -> dict[str, list[dg.AssetKey]]:
    """Org → its tables that have a condition."""
    found: dict[str, list[dg.AssetKey]] = {}
    for key in sorted(graph.materializable_asset_keys):
        if graph.get(key).automation_condition is not None:
            found.setdefault(key.path[0], []).append(key)
    return found


def _read(cursor: str | None, graph: BaseAssetGraph, keys: Mapping[str, list[dg.AssetKey]]) -> Turns:
    """The turns of a cursor. One of Dagster's own sensor, which this one was before, is dealt out to the orgs."""
    if cursor and cursor[0] in "01":
        whole = asset_daemon_cursor_from_instigator_serialized_cursor(cursor, graph)
        return Turns(0, {slug: Turn(state=_part(whole, mine)) for slug, mine in keys.items()})
    return Turns.parse(cursor)


def _part(whole: AssetDaemonCursor, keys: Iterable[dg.AssetKey]) -> str:
    mine = [one for one in map(whole.get_previous_condition_cursor, keys) if one is not None]
    return _text(replace(whole, previous_evaluation_state=[], previous_condition_cursors=mine))


def _text(state: AssetDaemonCursor) -> str:
    # As Dagster writes it: counting the partitions of each subset is slow, and nobody reads the counts.
    with skip_num_partitions_serialization_ctx():
        return serialize_deduped(state, columnar_classes=CURSOR_CLASSES)


def changed_orgs(instance: dg.DagsterInstance, place: int) -> tuple[int, set[str]]:
    """The newest event's id, and the orgs to whose assets something happened after a place: one query."""
    storage = instance.event_log_storage
    newest = storage.get_maximum_record_id() or 0
    if newest <= place:
        return newest, set()
    assert isinstance(storage, SqlEventLogStorage), "every storage of Dagster's is one"
    events = SqlEventLogStorageTable.c
    query = select(events.asset_key).distinct().where(events.id > place, events.asset_key.is_not(None))
    with storage.index_connection() as connection:
        found = connection.execute(query).scalars().all()
    paths = [key.path for text in found if (key := dg.AssetKey.from_db_string(text)) is not None]
    return newest, {path[0] for path in paths if len(path) > 1}


def orgs_with_moved_runs(instance: dg.DagsterInstance, since: float) -> set[str]:
    """The orgs with a run that began, went on or ended since a time: checks alone leave no event of an asset."""
    moment = datetime.fromtimestamp(max(since - CLOCKS_DIFFER_SECONDS, 0.0), UTC)
    return {slug for run in instance.get_runs(dg.RunsFilter(updated_after=moment)) for slug in _orgs_of_run(run)}


def _orgs_of_run(run: dg.DagsterRun) -> set[str]:
    checked = (check.asset_key for check in run.asset_check_selection or ())
    return {key.path[0] for key in (*(run.asset_selection or ()), *checked)} | {run.tags.get(ORG, "")}


def unfinished_backfills(instance: dg.DagsterInstance) -> dict[str, list[str]]:
    """Org → its backfills that have not ended. Until one is marked as ended, its days count as in progress."""
    found: dict[str, list[str]] = {}
    unfinished = BulkActionsFilter(statuses=UNFINISHED)
    for backfill in instance.get_backfills(filters=unfinished):
        for slug in {key.path[0] for key in backfill.asset_selection or ()}:
            found.setdefault(slug, []).append(backfill.backfill_id)
    return {slug: sorted(ids) for slug, ids in found.items()}
