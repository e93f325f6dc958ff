"""Which tables an org has, what each is made of, and how far it looks back and ahead. Everything asks here.

The facts are data: `reads` names what a table of an org reads and from which days. Assets and their partition mappings,
the order of a build, what a rebuilt day leaves outdated, the sources' sensors and `status` are derived from that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from justai_assets.contract.events import LOOKBACK_DAYS
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
from justai_assets.orgs.org_model import Org
from justai_assets.sources.registry import SOURCES, lands
from justai_assets.sources.source import Content

TABLE_OF: Final[dict[Content, Table]] = {
    "engagement": ESP_EVENTS,
    "custom_events": CUSTOM_EVENTS,
    "unified_events": UNIFIED_EVENTS,
    "served_copies": SERVED_COPIES,
}
"""What a source brings → the table that its records become."""


@dataclass(frozen=True)
class Read:
    """What day D of a table reads of another table: its days D-`back` … D+`ahead`."""

    table: Table
    back: int = 0
    ahead: int = 0


def org_sources(org: Org) -> tuple[str, ...]:
    """The sources of an org, in the registry's order: those of its file, and Generate's records if it has templates."""
    present = org.sources.present()
    return tuple(
        name
        for name, one in SOURCES.items()
        if name in present or (one.settings is None and org.templates and "served_copies" in one.contents)
    )


def landing_sources(org: Org) -> tuple[str, ...]:
    """The sources of an org whose objects lie in the landing zone."""
    return tuple(name for name in org_sources(org) if lands(name))


def table_of(org: Org, source: str) -> Table | None:
    """The table that the records of a source become; None for a source that the org does not read."""
    is_read = source == org.engagement or source in org.custom
    if is_read or (source in org_sources(org) and source not in org.sources.present()):
        return TABLE_OF[org.sources.content(source)]
    return None


def sources_of(org: Org, table: Table) -> tuple[str, ...]:
    """The sources that the records of a table come from, directly; none for a table that is made of tables.

    Custom sources stand in the order of the org file.
    """
    read = dict.fromkeys((org.engagement, *org.custom, *org_sources(org)))
    return tuple(one for one in read if (to := table_of(org, one)) is not None and to.name == table.name)


def landed_in(org: Org, table: Table) -> tuple[str, ...]:
    """The sources whose landed objects a table is read from. A mirrored share is a table of its own."""
    return tuple(one for one in sources_of(org, table) if lands(one))


def landed_by_table(org: Org) -> dict[Table, tuple[str, ...]]:
    """The tables that are read from landed objects, each with the sources of these objects."""
    return {table: found for table in org_tables(org) if (found := landed_in(org, table))}


def is_mirrored(org: Org) -> bool:
    """Whether the org's engagement source is asked for its rows, which are then mirrored in a table."""
    return not lands(org.engagement)


def stream_tables(org: Org) -> tuple[Table, ...]:
    """The tables that hold an org's events and, where we join them, what each custom event is attributed to."""
    if org.is_unified:
        return (UNIFIED_EVENTS,)
    return (ESP_EVENTS, ATTRIBUTED_EVENTS) if org.custom else (ESP_EVENTS,)


def org_tables(org: Org) -> tuple[Table, ...]:
    """The tables that are materialized for an org, upstream first."""
    if org.is_unified:
        tables: tuple[Table, ...] = (DELTA_SHARE, UNIFIED_EVENTS) if is_mirrored(org) else (UNIFIED_EVENTS,)
    elif org.custom:
        tables = (ESP_EVENTS, CUSTOM_EVENTS, ATTRIBUTED_EVENTS, UNIFIED_EVENTS)
    else:
        tables = (ESP_EVENTS, UNIFIED_EVENTS)
    outcomes = (SERVED_COPIES, MESSAGE_OUTCOMES, COPY_DAILY) if org.templates else (MESSAGE_OUTCOMES,)
    return (*tables, ATTRIBUTION_METRICS, *outcomes)


def reads(org: Org, table: Table) -> tuple[Read, ...]:
    """The tables that a table of an org reads, and how far; none for a table that is made of landed objects.

    - A custom event may belong to a send of the three days before it.
    - A message is followed for three days, and is no new message within three days of a send.
    - Generate is called before the send: on its day or the day before.
    """
    stream, name = stream_tables(org), table.name
    if name == ATTRIBUTED_EVENTS.name:
        return (Read(ESP_EVENTS, back=LOOKBACK_DAYS), Read(CUSTOM_EVENTS))
    if name == UNIFIED_EVENTS.name:
        if not org.is_unified:
            return tuple(Read(one) for one in stream)
        return (Read(DELTA_SHARE),) if is_mirrored(org) else ()
    if name == ATTRIBUTION_METRICS.name:
        return tuple(Read(one, back=LOOKBACK_DAYS if org.is_unified else 0) for one in stream)
    if name == MESSAGE_OUTCOMES.name:
        served = (Read(SERVED_COPIES, back=1),) if org.templates else ()
        return (*(Read(one, LOOKBACK_DAYS, LOOKBACK_DAYS) for one in stream), *served)
    if name == COPY_DAILY.name:
        return (Read(MESSAGE_OUTCOMES),)
    return ()


def upstream(org: Org, table: Table) -> tuple[Table, ...]:
    """Every table that the rows or numbers of a table depend on, upstream first."""
    wanted: set[str] = set()
    todo = [table]
    while todo:
        found = [read.table for read in reads(org, todo.pop()) if read.table.name not in wanted]
        wanted |= {one.name for one in found}
        todo += found
    return tuple(one for one in org_tables(org) if one.name in wanted)


def downstream(org: Org, table: Table) -> tuple[Table, ...]:
    """Every table of an org whose rows or numbers depend on a table, upstream first."""
    return tuple(one for one in org_tables(org) if any(up.name == table.name for up in upstream(org, one)))
