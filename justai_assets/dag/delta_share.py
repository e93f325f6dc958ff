"""The Delta Sharing door in Dagster: the mirror and what is made of it, as assets; the check of the credential."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from justai_assets.contract.days import Days
from justai_assets.contract.errors import JustAIError
from justai_assets.contract.tables import DELTA_SHARE, UNIFIED_EVENTS
from justai_assets.dag.org_assets import table_asset, table_key
from justai_assets.dag.partitions import same_day
from justai_assets.dag.resources import Platform
from justai_assets.lake.ledger import DayReport
from justai_assets.lake.store import Lake
from justai_assets.orgs.model import DeltaShare, Org
from justai_assets.sources.delta_share.client import ShareClient, TableName
from justai_assets.sources.delta_share.keep import held_days, keep, kept_state, sole_user
from justai_assets.sources.delta_share.mirror import mirror
from justai_assets.sources.delta_share.profile import Profile
from justai_assets.sources.delta_share.step import Step, Target
from justai_assets.sources.delta_share.unified import build_unified_from_mirror


def source_of(org: Org) -> DeltaShare:
    """The org's share; an org without one has no business here."""
    if org.sources.delta_share is None:
        raise JustAIError(f"{org.slug} has no sources.delta_share", mend="add it to the org file")
    return org.sources.delta_share


def profile_of(org: Org) -> Profile:
    """The org's credential, resolved now."""
    return Profile.parse(org.secret(source_of(org).profile))


def run_mirror(
    org: Org,
    lake: Lake,
    note: Mapping[str, str],
    *,
    days: Days | None = None,
    recheck: bool = False,
    accept_empty: bool = False,
) -> Iterator[Step]:
    """Mirror an org's share; after each commit the step is handed out, then its state is kept."""
    slug, work = org.slug, _work_root() / org.slug
    state = kept_state(lake, slug)
    held = held_days(lake, slug) if state is None else frozenset()
    table = TableName.parse(source_of(org).table)
    with sole_user(work), ShareClient(profile_of(org)) as client:
        target = Target(lake, slug, work, note)
        how = {"recheck": recheck, "accept_empty": accept_empty}
        for step in mirror(client, table, target, state, held=held, days=days, **how):
            # First the report, then the memory: killed in between, the next run reports the days once more.
            yield step
            keep(lake, slug, step.state)


def _work_root() -> Path:
    return Path(os.environ.get("JUSTAI_WORK") or Path(tempfile.gettempdir()) / f"justai-{os.getuid()}") / "delta_share"


def share_assets(org: Org) -> list[dg.AssetsDefinition]:
    """The mirror, and unified_events made of it."""

    def mirror_days(
        context: dg.AssetExecutionContext,
        platform: Platform,
        days: Days,
        note: dict[str, str],
        on_day: Callable[[DayReport], None],
    ) -> list[DayReport]:
        reports: list[DayReport] = []
        for step in run_mirror(org, platform.lake(), note, days=days):
            for one in step.reports:
                on_day(one)
            for remark in step.remarks:
                context.log.warning(remark)
            reports += step.reports
        return reports

    def unify_days(
        _: dg.AssetExecutionContext,
        platform: Platform,
        days: Days,
        note: dict[str, str],
        on_day: Callable[[DayReport], None],
    ) -> list[DayReport]:
        return build_unified_from_mirror(org.slug, platform.lake(), days, note=note, on_day=on_day)

    upstream = dg.AssetDep(table_key(org.slug, DELTA_SHARE), partition_mapping=same_day())
    return [
        # What keeps the mirror up to date is the sensor on the share's version, not an upstream asset.
        table_asset(org, DELTA_SHARE, [], mirror_days, is_automated=False),
        table_asset(org, UNIFIED_EVENTS, [upstream], unify_days),
    ]


def credential_check(org: Org) -> dg.AssetChecksDefinition:
    """Warns 14 days before the share's credential dies."""

    @dg.asset_check(
        asset=table_key(org.slug, DELTA_SHARE),
        name="share_credential",
        description=(
            "The share's credential is readable and lives for two more weeks at least. Mend: ask the share's owner for "
            "a new profile file and put it where the org file says."
        ),
    )
    def check() -> dg.AssetCheckResult:
        now = datetime.now(UTC)
        try:
            profile = profile_of(org)
        except JustAIError as error:
            return dg.AssetCheckResult(passed=False, description=str(error), metadata={"code": error.code})
        left = profile.days_left(now)
        warning = profile.expiry_warning(now)
        return dg.AssetCheckResult(
            passed=not warning,
            severity=dg.AssetCheckSeverity.ERROR if left is not None and left <= 0 else dg.AssetCheckSeverity.WARN,
            description=warning or None,
            metadata={"days left": "no end" if left is None else round(left, 1)},
        )

    return check


def note_of(run_id: str, org: Org) -> dict[str, str]:
    """What a commit says of the run that made it."""
    return {"run_id": run_id, "org": org.slug}
