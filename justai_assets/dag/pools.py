"""Pools: their rows made before runs need them, and a slot of one that is known only when the step runs."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import dagster as dg

# Dagster names a step's pool when the code loads. A step that takes tables one after another would need one op per org
# and table for that, 1,400 at 200 orgs; it claims the slot as Dagster's own executor does instead.
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext


def ensure_pools(instance: dg.DagsterInstance, pools: Iterable[str]) -> None:
    """Give each pool that has none its row with the instance's default limit.

    Dagster makes the row when a step first claims a slot. Two runs that do so at once on PostgreSQL break: the second
    insert violates the unique key, its transaction is aborted, and the run fails (seen on 1.13.27).
    """
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits or storage.get_pool_config().default_pool_limit is None:
        return
    known = {pool.name for pool in storage.get_pool_limits()}
    for pool in sorted(set(pools) - known):
        storage.initialize_concurrency_limit_to_default(pool)


@contextmanager
def slot(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    pool: str,
    *,
    wait_seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[bool]:
    """Hold a slot of a pool inside the block; False when none came free in time, and nothing is held.

    The slot is freed at the end of the block; if the process dies, by the sensor fail_lost_runs.
    """
    step = f"{pool} of {run.run_id}"
    deadline = time.monotonic() + wait_seconds
    with InstanceConcurrencyContext(instance, run) as slots:
        while not (is_held := slots.claim(pool, step)) and time.monotonic() < deadline:
            sleep(1.0)
        try:
            yield is_held
        finally:
            if is_held:
                slots.free_step(step)
