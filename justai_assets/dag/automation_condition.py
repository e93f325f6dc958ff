"""When days are rebuilt without anybody asking."""

from typing import Any

import dagster as dg


def rebuild_when_upstream_changes(*, batch_minutes: int = 0) -> dg.AutomationCondition[Any]:
    """A day is requested when any of its upstream days was updated since it was last requested.

    Term by term:

    - `any_deps_match(newly_updated())`: whatever day of whatever dependency, latest or years old; `eager()` looks at
      the latest window only, so late data would never be seen.
    - `.since(newly_requested())` and nothing else resets it: with `newly_updated()` among the resets, an update that
      lands between a request and the end of its run is swallowed.
    - `~in_progress()`: one run of a day at a time.
    - `~any_deps_in_progress()`: the events of a ranged run trickle in one by one, and a tick in their middle would
      launch a partial run and then a second one.
    - `~any_deps_match(unsound())`: upstream runs on its own, so that a check which blocks within a run blocks nothing
      here. It comes after the term that remembers updates: what arrives while a day is blocked is requested, once,
      when the day is sound again.

    There is no condition on missing upstream days: the first days of an org have no lookback, and a day without
    purchases is not missing. A day that was never checked does not block either.

    Today changes with every file. Its changes are taken together: a table of the latest day is requested once a batch
    at most, and after the tables above it that this batch requests. Both stand outside the term that remembers updates:
    within it, a boolean drops the times of the updates, and with them the order of update and request.

    Args:
        batch_minutes: today's changes are taken together for so long; 0 takes each as it comes.
    """
    condition = dg.AutomationCondition
    changed: Any = (
        condition.any_deps_match(condition.newly_updated()).since(condition.newly_requested())
        & ~condition.in_progress()
        & ~condition.any_deps_in_progress()
        & ~condition.any_deps_match(unsound())
    )
    if batch_minutes:
        cron = f"*/{batch_minutes} * * * *" if batch_minutes < 60 else "0 * * * *"
        changed &= ~condition.in_latest_time_window() | (
            condition.cron_tick_passed(cron).since(condition.newly_requested())
            & ~condition.any_deps_match(condition.will_be_requested())
        )
    labelled: dg.AutomationCondition[Any] = changed.with_label("rebuild when upstream changes")
    return labelled


def unsound() -> dg.AutomationCondition[Any]:
    """A day that was written, and whose blocking check then failed or was not carried out.

    The latter: the run died between the table and its checks, so nobody knows. Where the last attempt did not write the
    table, its checks did not run either, but it still holds what they have judged before: that is an old day, not a
    bad one, and does not stop its neighbours.
    """
    condition = dg.AutomationCondition
    # One condition a check, not one for each way to fail: a third of a tick's time (docs/adr/0010).
    failed = condition.any_checks_match(condition.check_failed() | condition.execution_failed(), blocking_only=True)
    return failed & ~condition.execution_failed()


def refresh_hourly_when_upstream_changes() -> dg.AutomationCondition[Any]:
    """For an asset over many days or orgs: when any day of any dependency was updated, at most hourly.

    A tick of the clock since the last request is a term more: without it every micro-batch of today's events would
    read a month again. Failed checks upstream are a term less: one bad day of one org must not stop what the others
    wait for.
    """
    condition = dg.AutomationCondition
    return (
        condition.any_deps_match(condition.newly_updated()).since(condition.newly_requested())
        & ~condition.in_progress()
        & ~condition.any_deps_in_progress()
        & condition.cron_tick_passed("0 * * * *").since(condition.newly_requested())
    ).with_label("refresh hourly when upstream changes")
