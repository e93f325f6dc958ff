"""Asset checks of an org's tables, day by day: one step a table, whatever the number of checks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import dagster as dg
import polars as pl
from dagster._core.storage.tags import PARTITION_NAME_TAG

from justai_assets.contract.days import Days
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    ATTRIBUTION_METRICS,
    CUSTOM_EVENTS,
    DELTA_SHARE,
    ESP_EVENTS,
    UNIFIED_EVENTS,
    Table,
)
from justai_assets.dag.org_assets import table_key, table_keys
from justai_assets.dag.partitions import daily, days_of
from justai_assets.dag.resources import Platform
from justai_assets.dag.undated import doors_by_table
from justai_assets.lake.store import Lake
from justai_assets.orgs.model import Org
from justai_assets.quality.conservation import conservation
from justai_assets.quality.contract import contract
from justai_assets.quality.drift import schema_drift
from justai_assets.quality.duplicates import duplicates
from justai_assets.quality.files import small_files
from justai_assets.quality.pii import no_pii
from justai_assets.quality.share import attribution_share
from justai_assets.quality.skew import partition_skew
from justai_assets.quality.stale import stale_parts
from justai_assets.quality.table_log import read_log
from justai_assets.quality.verdict import Verdict, totals
from justai_assets.storage import Root

CHECKED = (ESP_EVENTS, CUSTOM_EVENTS, ATTRIBUTED_EVENTS, DELTA_SHARE, UNIFIED_EVENTS, ATTRIBUTION_METRICS)
_DROPS = {"redshift", "databricks"}
_DAYS_IN_SUMMARY = 40


@dataclass(frozen=True)
class Subject:
    """What the checks of one run look at; what several of them need is read once."""

    org: Org
    table: Table
    days: Days
    landing: Root
    lake: Lake

    @cached_property
    def log(self) -> pl.DataFrame:
        """The table's log."""
        return read_log(self.lake, self.org.slug, self.table)

    @property
    def drop_doors(self) -> tuple[str, ...]:
        """The doors of the table through which a warehouse drops files."""
        return drop_doors(self.org, self.table)


@dataclass(frozen=True)
class DayCheck:
    """One check: what it promises, what mends it, and how a range of days is judged."""

    name: str
    description: str
    judge: Callable[[Subject], list[Verdict]]
    applies: Callable[[Org, Table], bool]
    is_blocking: bool = False


def drop_doors(org: Org, table: Table) -> tuple[str, ...]:
    """The doors of a table through which a warehouse drops files."""
    return tuple(door for door in doors_by_table(org).get(table, ()) if door in _DROPS)


DAY_CHECKS = (
    DayCheck(
        "contract",
        "The table has the contract's columns and types; no required column holds null, no row another day's time. "
        "Mend: materialize the day again; if the table itself differs, something else has written into it.",
        lambda it: contract(it.lake, it.org.slug, it.table, it.days, it.log),
        lambda _, __: True,
        is_blocking=True,
    ),
    DayCheck(
        "conservation",
        "received = accepted + duplicate + quarantined, and the tables hold these numbers. "
        "Mend: materialize the day again; if it still fails, the day's files or tables were changed from outside.",
        lambda it: conservation(it.lake, it.org.slug, it.table, it.days),
        lambda _, table: table is not ATTRIBUTION_METRICS,
        is_blocking=True,
    ),
    DayCheck(
        "no_pii",
        "No name or id holds an email, phone number or address, and every key is a pseudonym. "
        "Mend: materialize the day again with this version; rows of an older one may have slipped through its guard.",
        lambda it: no_pii(it.lake, it.org.slug, it.table, it.days),
        lambda _, table: table is not ATTRIBUTED_EVENTS,
        is_blocking=True,
    ),
    DayCheck(
        "duplicates",
        "No event is stored twice. Mend: for webhooks, materialize the day again; for a drop, look for stale parts "
        "and have the export write a manifest.",
        lambda it: duplicates(it.lake, it.org.slug, it.table, it.days),
        lambda org, table: table in doors_by_table(org),
    ),
    DayCheck(
        "schema_drift",
        "The doors send the contract's columns in its types. Mend: a new column is not read, tell us if it should be; "
        "a changed type is the exporter's to undo: cast the column there and export the day again.",
        lambda it: schema_drift(it.lake, it.org.slug, it.table, it.days),
        lambda org, table: table in doors_by_table(org),
    ),
    DayCheck(
        "small_files",
        "A day does not lie in many files under 128 MB on average. Mend: the maintenance job compacts them nightly; "
        "start it by hand if it cannot wait.",
        lambda it: small_files(it.days, it.log),
        lambda _, table: table is not ATTRIBUTION_METRICS,
    ),
    DayCheck(
        "partition_skew",
        "A day has about as many rows as the days before it. Mend: a small day is often incomplete, look at its "
        "landing asset; a large one is a campaign, or an export that ran twice.",
        lambda it: partition_skew(it.days, it.log),
        lambda org, table: table in doors_by_table(org),
    ),
    DayCheck(
        "stale_parts",
        "A drop's folder holds one export, whole. Mend: export with MANIFEST, or with CLEANPATH, then materialize the "
        "day again.",
        lambda it: stale_parts(it.landing, it.lake, it.org.slug, it.table, it.drop_doors, it.days),
        lambda org, table: bool(drop_doors(org, table)),
    ),
    DayCheck(
        "attribution_share",
        "About as many custom events find their message as in the four weeks before. Mend: look at esp_events for "
        "missing sends and at the reasons of attributed_events; late sends mend it by themselves.",
        lambda it: attribution_share(it.lake, it.org.slug, it.days),
        lambda _, table: table is ATTRIBUTED_EVENTS,
    ),
)


def table_checks(org: Org) -> list[dg.AssetChecksDefinition]:
    """The checks of an org's tables, one step a table: a step per check would triple the run and the snapshot."""
    mine = table_keys(org)
    return [_checks_of(org, table) for table in CHECKED if table_key(org.slug, table) in mine]


def _checks_of(org: Org, table: Table) -> dg.AssetChecksDefinition:
    key = table_key(org.slug, table)
    checks = {check.name: check for check in DAY_CHECKS if check.applies(org, table)}

    @dg.multi_asset_check(
        name=f"{key.to_python_identifier()}_checks",
        specs=[
            dg.AssetCheckSpec(
                check.name,
                asset=key,
                description=check.description,
                blocking=check.is_blocking,
                partitions_def=daily(org.start_date),
            )
            for check in checks.values()
        ],
        can_subset=True,
    )
    def run_checks(context: dg.AssetCheckExecutionContext, platform: Platform) -> Iterator[dg.AssetCheckResult]:
        days = days_of(context)
        subject = Subject(org, table, days, platform.landing(), platform.lake())
        asked = {check_key.name for check_key in context.selected_asset_check_keys}
        for name, check in checks.items():
            if name in asked:
                verdicts = check.judge(subject)
                # Also for a range of one day, as backfills launch it: what a ranged run yields belongs to no partition.
                if PARTITION_NAME_TAG not in context.op_execution_context.run.tags:
                    _log_days(context, key, check, verdicts)
                yield _summary(key, check, verdicts)

    return run_checks


def _log_days(
    context: dg.AssetCheckExecutionContext, key: dg.AssetKey, check: DayCheck, verdicts: list[Verdict]
) -> None:
    """One evaluation a day of a ranged run.

    Sound days too, though an event costs some 10 ms: a planned check of a day without one reads as skipped in the UI.
    """
    for verdict in verdicts:
        context.op_execution_context.log_event(
            dg.AssetCheckEvaluation(  # type: ignore[arg-type]  # taken, stored and shown; only the annotation lags
                asset_key=key,
                check_name=check.name,
                passed=verdict.is_sound,
                partition=verdict.day.isoformat(),
                severity=_severity([verdict]),
                description=_said(verdict) or None,
                metadata=verdict.numbers,
                blocking=check.is_blocking,
            )
        )


def _summary(key: dg.AssetKey, check: DayCheck, verdicts: list[Verdict]) -> dg.AssetCheckResult:
    bad = [verdict for verdict in verdicts if not verdict.is_sound]
    metadata: dict[str, dg.MetadataValue | int | float] = {**verdicts[0].numbers}
    if len(verdicts) > 1:
        metadata = {**totals(verdicts), "days": len(verdicts), "by day": _by_day(verdicts)}
    description = None
    if bad:
        lines = [f"- {verdict.day}: {_said(verdict)}" for verdict in bad[:_DAYS_IN_SUMMARY]]
        if len(bad) > _DAYS_IN_SUMMARY:
            lines.append(f"- and {len(bad) - _DAYS_IN_SUMMARY} more days")
        metadata["problems"] = dg.MetadataValue.md("\n".join(lines))
        description = _said(bad[0]) if len(verdicts) == 1 else f"{len(bad)} of {len(verdicts)} days: {_said(bad[0])}"
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=check.name,
        passed=not bad,
        severity=_severity(verdicts),
        description=description,
        metadata=metadata,
    )


def _by_day(verdicts: list[Verdict]) -> dg.MetadataValue:
    names = list(dict.fromkeys(name for verdict in verdicts for name in verdict.numbers))
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord(
                {
                    "day": verdict.day.isoformat(),
                    "sound": "yes" if verdict.is_sound else "no",
                    **{name: verdict.numbers.get(name, "") for name in names},
                }
            )
            for verdict in verdicts
        ],
        schema=dg.TableSchema([dg.TableColumn(name) for name in ("day", "sound", *names)]),
    )


def _severity(verdicts: list[Verdict]) -> dg.AssetCheckSeverity:
    is_error = any(verdict.problems for verdict in verdicts) or all(verdict.is_sound for verdict in verdicts)
    return dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN


def _said(verdict: Verdict) -> str:
    return "; ".join((*verdict.problems, *verdict.warnings))
