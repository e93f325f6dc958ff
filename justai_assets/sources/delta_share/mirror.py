"""A shared table, mirrored: what changed is fetched and replaced day by day, the rest is left alone.

Each commit is whole, and each is followed by a state that says what the mirror then holds. A run that is killed loses
at most one commit's work: what was downloaded stays in the work folder, and replacing a day twice gives the same day.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from datetime import date

from justai_assets.contract.days import Days
from justai_assets.sources.delta_share.client import ShareClient, TableName
from justai_assets.sources.delta_share.errors import ShareMovedError
from justai_assets.sources.delta_share.run import Run
from justai_assets.sources.delta_share.state import MirrorState
from justai_assets.sources.delta_share.step import Step, Target

BATCH_BYTES = 2 << 30
"""Compressed bytes of files that one commit takes in: what lies on disk at a time, where a file holds one day."""

MAX_RESTARTS = 3


def mirror(
    client: ShareClient,
    table: TableName,
    target: Target,
    state: MirrorState | None,
    *,
    held: Collection[date] = (),
    days: Days | None = None,
    recheck: bool = False,
    accept_empty: bool = False,
    batch_bytes: int = BATCH_BYTES,
) -> Iterator[Step]:
    """Bring a mirror up to date; one Step after each commit, none for a share that has not changed.

    Args:
        client: of the share.
        table: the shared table or view.
        target: where to.
        state: what the last Step said, or None.
        held: days the mirror's table has rows of; needed when there is no state, so that days which the share does not
            hold are emptied.
        days: replace these days, changed or not, and look at no others; None brings all that changed up to date. The
            version of the state stays what it was, so that the next run without days sees what the others need.
        recheck: list the files even when the version has not moved.
        accept_empty: take an empty list for an answer, and empty the mirror.
        batch_bytes: see BATCH_BYTES.

    The files decide, not the version: a version that moved without touching a day writes nothing, and yields one Step
    with the new state.

    Raises:
        ContractError: a column is missing or changed its type; nothing was written.
        EmptyShareError: the share lists no rows at all.
        ShareError: see its subclasses. Commits that were yielded stand; the rest is as it was.
    """
    if state is None or state.table != str(table):
        held = {*held, *(state.days if state else ())}
        # A fingerprint that no file set has: such days are written when the share holds them, and emptied otherwise.
        state = MirrorState(str(table), days=dict.fromkeys(held, ""))
    run = Run(client, table, target, state, days, recheck=recheck, accept_empty=accept_empty, batch_bytes=batch_bytes)
    for attempt in range(MAX_RESTARTS):
        try:
            yield from run.steps()
        except ShareMovedError:
            # The table was rewritten under us. What has been committed stands; the rest is planned anew.
            if attempt == MAX_RESTARTS - 1:
                raise
        else:
            break
    shutil.rmtree(target.work, ignore_errors=True)
