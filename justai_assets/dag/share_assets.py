"""The Delta Sharing door in Dagster: the mirror and what is made of it, as assets; the check of the credential."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import SCHEDULE_NAME_TAG

from justai_assets.contract.days import Days
from justai_assets.contract.errors import ContractError, JustAIError, StorageError
from justai_assets.contract.tables import DELTA_SHARE, UNIFIED_EVENTS
from justai_assets.dag.landing_assets import in_time
from justai_assets.dag.org_keys import table_key
from justai_assets.dag.resources import Platform
from justai_assets.dag.table_asset import DaysRun, table_asset
from justai_assets.lake.ledger import DayReport
from justai_assets.lake.stamp import stamp_of
from justai_assets.lake.store import Lake
from justai_assets.orgs.extra_columns import declared
from justai_assets.orgs.org_model import Org
from justai_assets.sources.delta_share.client import ShareClient
from justai_assets.sources.delta_share.mirror import mirror
from justai_assets.sources.delta_share.mirror_state import (
    DIRTY,
    MirrorState,
    Step,
    Target,
    load_state,
    save_state,
    sole_user,
)
from justai_assets.sources.delta_share.mirror_table import build_unified_from_mirror, mirrored_days, mirrored_reports
from justai_assets.sources.delta_share.profile import Profile
from justai_assets.sources.delta_share.protocol import TableName
from justai_assets.sources.delta_share.spec import SHARE, DeltaShare
from justai_assets.sources.registry import UnknownSourceError

CONTRACT_CHECK = "share_contract"


def source_of(org: Org) -> DeltaShare:
    """The org's share; an org without one has no business here."""
    settings = org.sources.settings(SHARE, DeltaShare)
    if settings is None:
        raise UnknownSourceError(f"{org.slug} has no {SHARE.name}", mend=f"add sources.{SHARE.name} to the org file")
    return settings


def profile_of(org: Org) -> Profile:
    """The org's credential, resolved now."""
    return Profile.parse(org.secret(source_of(org).profile))


def run_mirror(
    org: Org,
    lake: Lake,
    note: Mapping[str, str],
    *,
    days: Days | None = None,
    only_changed: bool = False,
    recheck: bool = False,
    accept_empty: bool = False,
    reports_at_end: bool = False,
) -> Iterator[Step]:
    """Mirror an org's share; after each commit the step is handed out, then its state is kept.

    A caller that reports the days only when all are done says so (`reports_at_end`): the state is then kept at the end.
    Days that a failed run wrote but never reported are thus written once more by the next run, and reported.

    A share that breaks the contract is remembered too, for the check `share_contract`.
    """
    slug, work = org.slug, _work_root() / org.slug
    table = TableName.parse(source_of(org).table)
    with sole_user(work), ShareClient(profile_of(org)) as client:
        state = load_state(lake, slug)
        mirrored = mirrored_days(lake, slug) if state is None else frozenset()
        target = Target(lake, slug, work, note, stamp_of(org, DELTA_SHARE), declared(org, DELTA_SHARE))
        how = {"only_changed": only_changed, "recheck": recheck, "accept_empty": accept_empty}
        try:
            for step in mirror(client, table, target, state, mirrored=mirrored, days=days, **how):
                # First the report, then the memory: killed in between, the next run reports the days once more.
                yield step
                state = step.state
                if not reports_at_end:
                    save_state(lake, slug, state)
            if reports_at_end and state is not None:
                save_state(lake, slug, state)
        except ContractError as error:
            last = load_state(lake, slug) or MirrorState(str(table), days=dict.fromkeys(mirrored, DIRTY))
            save_state(lake, slug, replace(last, broken=str(error)))
            raise


def _work_root() -> Path:
    if given := os.environ.get("JUSTAI_WORK"):
        return Path(given) / SHARE.name
    ours = Path(tempfile.gettempdir()) / f"justai-{os.getuid()}"
    # Everybody may write into the folder above: somebody else could have made ours first.
    if ours.exists() and (ours.is_symlink() or ours.stat().st_uid != os.getuid()):
        raise StorageError(f"{ours} belongs to another user", mend="set JUSTAI_WORK to a folder of your own")
    return ours / SHARE.name


def contract_evaluation(org: Org, lake: Lake) -> dg.AssetCheckEvaluation:
    """What the last run found of the share's columns."""
    broken = _broken(org, lake)
    return dg.AssetCheckEvaluation(
        asset_key=table_key(org.slug, DELTA_SHARE),
        check_name=CONTRACT_CHECK,
        passed=not broken,
        description=broken or None,
    )


def _broken(org: Org, lake: Lake) -> str:
    state = load_state(lake, org.slug)
    return "" if state is None else state.broken


def share_assets(org: Org) -> list[dg.AssetsDefinition]:
    """The mirror, and unified_events made of it."""

    def mirror_days(run: DaysRun) -> list[DayReport]:
        context, lake, days = run.context, run.platform.lake(), run.days
        # The daily refresh looks for what was missed; a person who materializes a day wants it written.
        only_changed = SCHEDULE_NAME_TAG in context.run.tags
        found: dict[date, DayReport] = {}
        try:
            for step in run_mirror(org, lake, run.note, days=days, only_changed=only_changed, reports_at_end=True):
                for remark in step.notes:
                    context.log.warning(remark)
                found |= {one.day: one for one in step.reports if one.day is not None}
        except ContractError:
            # The step of the checks does not run after a failure.
            context.instance.report_runless_asset_event(contract_evaluation(org, lake))
            raise
        left = [day for day in days if day not in found]
        if left:
            found |= {one.day: one for one in mirrored_reports(lake, org.slug, days) if one.day in left}
        reports = [found[day] for day in days]
        for one in reports:
            run.on_day(one)
        return reports

    def unify_days(run: DaysRun) -> list[DayReport]:
        stamp = stamp_of(org, UNIFIED_EVENTS)
        return build_unified_from_mirror(
            org.slug,
            run.platform.lake(),
            run.days,
            table=declared(org, DELTA_SHARE),
            note=run.note,
            stamp=stamp,
            on_day=run.on_day,
        )

    return [
        # What keeps the mirror up to date is the sensor on the share's version, not an upstream asset.
        table_asset(org, DELTA_SHARE, mirror_days, is_automated=False, freshness_policy=in_time()),
        table_asset(org, UNIFIED_EVENTS, unify_days),
    ]


def contract_check(org: Org) -> dg.AssetChecksDefinition:
    """Fails while the share lacks a column of the contract, or has one of another type."""

    @dg.asset_check(
        asset=table_key(org.slug, DELTA_SHARE),
        name=CONTRACT_CHECK,
        description="The share has the contract's columns and types, as the last run found them; while it has not, the "
        "mirror keeps its last content. Mend: have the provider restore the columns, or name a view that has them.",
    )
    def check(platform: Platform) -> dg.AssetCheckResult:
        broken = _broken(org, platform.lake())
        return dg.AssetCheckResult(passed=not broken, description=broken or None)

    return check


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
