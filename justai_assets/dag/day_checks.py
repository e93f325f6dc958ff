"""What is checked of every day of a table: each check's promise, its mend, and to which tables it applies."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import dagster as dg
import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    ATTRIBUTION_METRICS,
    COPY_DAILY,
    CUSTOM_EVENTS,
    DELTA_SHARE,
    ESP_EVENTS,
    MESSAGE_OUTCOMES,
    SERVED_COPIES,
    UNIFIED_EVENTS,
    Table,
)
from justai_assets.dag.org_keys import table_key
from justai_assets.lake.store import Lake
from justai_assets.orgs.extra_columns import declared
from justai_assets.orgs.org_model import Org
from justai_assets.quality.attribution_share import attribution_share
from justai_assets.quality.cohort_sums import cohorts
from justai_assets.quality.conservation import conservation
from justai_assets.quality.contract_check import contract
from justai_assets.quality.day_result import Verdict
from justai_assets.quality.duplicates import duplicates
from justai_assets.quality.partition_skew import partition_skew
from justai_assets.quality.pii import no_pii
from justai_assets.quality.schema_drift import schema_drift
from justai_assets.quality.small_files import small_files
from justai_assets.quality.stale_parts import stale_parts
from justai_assets.quality.table_log import read_log
from justai_assets.sources.lineage import landed_in
from justai_assets.sources.registry import is_drop
from justai_assets.storage import Root

CHECKED = (
    ESP_EVENTS, CUSTOM_EVENTS, ATTRIBUTED_EVENTS, DELTA_SHARE, UNIFIED_EVENTS, ATTRIBUTION_METRICS, SERVED_COPIES,
    MESSAGE_OUTCOMES, COPY_DAILY,
)  # fmt: skip
_COHORTS = (MESSAGE_OUTCOMES, COPY_DAILY)


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
    return tuple(door for door in landed_in(org, table) if is_drop(door))


DAY_CHECKS = (
    DayCheck(
        "contract",
        "The table has the contract's columns and types; no required column holds null, no row another day's time. "
        "Mend: materialize the day again; if the table itself differs, something else has written into it.",
        lambda it: contract(it.lake, it.org.slug, declared(it.org, it.table), it.days, it.log),
        lambda _, table: table not in _COHORTS,
        is_blocking=True,
    ),
    DayCheck(
        "conservation",
        "received = accepted + duplicate + quarantined, and the tables hold these numbers. "
        "Mend: materialize the day again; if it still fails, the day's files or tables were changed from outside.",
        lambda it: conservation(it.lake, it.org.slug, it.table, it.days),
        lambda _, table: table not in (ATTRIBUTION_METRICS, *_COHORTS),
        is_blocking=True,
    ),
    DayCheck(
        "cohorts",
        "Every message that was sent stands once in message_outcomes, and once in the counts of copy_daily. Mend: "
        "materialize the day again, message_outcomes first.",
        lambda it: cohorts(it.org, it.lake, it.table, it.days),
        lambda _, table: table in _COHORTS,
        is_blocking=True,
    ),
    DayCheck(
        "no_pii",
        "No name, id or declared text holds an email, phone number or address, and every key is a pseudonym. "
        "Mend: materialize the day again with this version; rows of an older one may have slipped through its guard.",
        lambda it: no_pii(it.lake, it.org.slug, declared(it.org, it.table), it.days),
        lambda _, table: table not in (ATTRIBUTED_EVENTS, *_COHORTS),
        is_blocking=True,
    ),
    DayCheck(
        "duplicates",
        "No event is stored twice. Mend: for webhooks, materialize the day again; for a drop, look for stale parts "
        "and have the export write a manifest.",
        lambda it: duplicates(it.lake, it.org.slug, it.table, it.days),
        lambda org, table: bool(landed_in(org, table)),
    ),
    DayCheck(
        "schema_drift",
        "The doors send the contract's columns in its types. Mend: declare a new column under extra_columns of its "
        "source if it is to be read; cast a column of a changed type in the exporter, and export the day again.",
        lambda it: schema_drift(it.lake, it.org.slug, it.table, it.days),
        lambda org, table: bool(landed_in(org, table)),
    ),
    DayCheck(
        "small_files",
        "A day does not lie in many files under 128 MB on average. Mend: the maintenance job compacts them nightly; "
        "start it by hand if it cannot wait.",
        lambda it: small_files(it.days, it.log),
        lambda _, table: table not in (ATTRIBUTION_METRICS, *_COHORTS),
    ),
    DayCheck(
        "partition_skew",
        "A day has about as many rows as the days before it. Mend: a small day is often incomplete, look at its "
        "landing asset; a large one is a campaign, or an export that ran twice.",
        lambda it: partition_skew(it.days, it.log),
        lambda org, table: bool(landed_in(org, table)),
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


def blocking_checks(org: Org, key: dg.AssetKey) -> tuple[dg.AssetCheckKey, ...]:
    """The checks of one of an org's tables that stop what is below it."""
    return tuple(
        dg.AssetCheckKey(key, check.name)
        for table in CHECKED
        if table_key(org.slug, table) == key
        for check in DAY_CHECKS
        if check.is_blocking and check.applies(org, table)
    )
