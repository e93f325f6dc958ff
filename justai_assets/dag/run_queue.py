"""The run queue of a server: a run carries its org, whoever started it, so that the limits per org hold for it.

Loaded by the daemon and the web server, from dagster.yaml: it imports Dagster and nothing else.
"""

from dagster import DagsterRun
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext

ORG = "org"
_SHARED = frozenset({"marts", "broken_org_files"})
"""First parts of keys that are no org's."""


class OrgRunQueue(QueuedRunCoordinator):
    """Queues runs as Dagster does, and tags those of one org with it.

    Schedules and backfills of ours set the tag themselves; automation and the UI cannot.
    """

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Tag the run where it has no org yet, then queue it."""
        run = context.dagster_run
        org = org_of(run)
        if org is not None and ORG not in run.tags:
            self._instance.add_run_tags(run.run_id, {ORG: org})
        return super().submit_run(context)


def org_of(run: DagsterRun) -> str | None:
    """The org whose assets or checks a run is for; None when there are several, or it is for something shared."""
    keys = {*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())}
    slugs = {key.path[0] if len(key.path) > 1 else None for key in keys}
    slug = slugs.pop() if len(slugs) == 1 else None
    return None if slug in _SHARED else slug
