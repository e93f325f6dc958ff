"""A shared table, mirrored: what changed is fetched and replaced day by day, the rest is left alone.

Each commit is whole, and each is followed by a state that says what the mirror then holds. A run that is killed loses
at most one commit's work: what was downloaded stays in the work folder, and replacing a day twice gives the same day.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date

from justai_assets.contract.days import Days
from justai_assets.sources.delta_share.client import ShareClient
from justai_assets.sources.delta_share.mirror_run import Run
from justai_assets.sources.delta_share.mirror_state import DIRTY, MirrorState, Step, Target
from justai_assets.sources.delta_share.plan import MirrorRequest
from justai_assets.sources.delta_share.protocol import TableName
from justai_assets.sources.delta_share.share_errors import ShareMovedError

BATCH_BYTES = 2 << 30
"""Compressed bytes of files that one commit takes in: what lies on disk at a time, where a file holds one day."""

MAX_FUTILE_RESTARTS = 3
"""Lists in a row that moved before a single commit."""

MAX_RESTARTS = 100
"""Lists of one run in all."""


def mirror(
    client: ShareClient,
    table: TableName,
    target: Target,
    state: MirrorState | None,
    *,
    mirrored: Collection[date] = (),
    days: Days | None = None,
    only_changed: bool = False,
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
        mirrored: days the mirror's table has rows of; needed when there is no state, so that days which the share does
            not hold are emptied.
        days: replace these days, changed or not, and look at no others; None brings all that changed up to date. The
            version of the state stays what it was, so that the next run without days sees what the others need.
        only_changed: of these days, replace only those that changed.
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
    endpoint = client.endpoint
    if state is None or state.table != str(table) or state.endpoint not in {"", endpoint}:
        mirrored = {*mirrored, *(state.days if state else ())}
        known_until = state.lake_version if state else None
        state = MirrorState(str(table), days=dict.fromkeys(mirrored, DIRTY), lake_version=known_until)
    state = replace(state, endpoint=endpoint)
    request = MirrorRequest(days, only_changed=only_changed, recheck=recheck, accept_empty=accept_empty)
    run = Run(client, table, target, state, request, batch_bytes)
    futile = 0
    for _ in range(MAX_RESTARTS):
        try:
            for step in run.steps():
                futile = 0
                yield step
        except ShareMovedError:
            # The table was rewritten under us, or a view that names its files anew for each request outlived its
            # addresses. What has been committed stands; the rest is planned anew.
            futile += 1
            if futile == MAX_FUTILE_RESTARTS:
                raise
            if futile > 1:
                run.batch_bytes //= 8
        else:
            break
    else:
        raise ShareMovedError(f"the share moved {MAX_RESTARTS} times during one run", mend="run it again")
    shutil.rmtree(target.work, ignore_errors=True)
