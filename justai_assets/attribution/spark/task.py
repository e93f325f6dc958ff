"""What one Spark job is asked to do: everything it needs, as plain JSON, because it runs where nothing else of us is.

The modules of this folder import the standard library, PySpark, `dagster_pipes` and the plain constants of `contract`,
so that the wheel on a cluster brings no Dagster and no Polars (`wheel`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Final

PROTOCOL: Final = 3
"""Raised when the task's fields change: a wheel of another age then says so instead of computing something else."""

ATTRIBUTED: Final = "attributed_events"
UNIFIED: Final = "unified_events"


class TaskError(ValueError):
    """A task that this code cannot do; the message says what to change."""


@dataclass(frozen=True)
class Source:
    """A table to be read.

    Attributes:
        columns: name → Spark SQL type, in order.
        delta: address of the Delta table, for a Spark that reads Delta.
        version: the version of it that is read, whatever is committed meanwhile.
        files: live Parquet files of the days wanted, for one that does not.
    """

    columns: Mapping[str, str]
    delta: str = ""
    version: int = 0
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """The table to be written, or the folder that somebody else commits to it.

    Attributes:
        columns: name → Spark SQL type, in order.
        delta: address of an existing Delta table, whose days are replaced in one commit.
        folder: folder for Parquet, `event_date=YYYY-MM-DD/…`, replaced whole.
    """

    columns: Mapping[str, str]
    delta: str = ""
    folder: str = ""


@dataclass(frozen=True)
class Task:
    """Days of one table.

    Attributes:
        table: `attributed_events` or `unified_events`.
        lo: first event_date. In here, because Pipes hands no range of partitions to the outside.
        hi: last event_date, inclusive.
        sources: by table name.
        target: what is written.
        scratch: folder of this run alone, for intermediate results; whoever made it removes it.
        window_hours: the rule's default window.
        windows: event name → hours, where they differ.
        send_events: names of the events that are sends.
        has_start: whether a send exactly one window before an event counts.
        has_end: whether a send at the event's own microsecond counts.
        tie_break: (column, is_descending) by which sends at one microsecond are put in order; the last one wins.
        note: put into the Delta commit's metadata.
        settings: Spark settings of a session that the job starts itself.
        protocol: see PROTOCOL.
    """

    table: str
    lo: date
    hi: date
    sources: Mapping[str, Source]
    target: Target
    scratch: str
    window_hours: int = 24
    windows: Mapping[str, int] = field(default_factory=dict)
    send_events: tuple[str, ...] = ()
    has_start: bool = False
    has_end: bool = True
    tie_break: tuple[tuple[str, bool], ...] = ()
    note: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    protocol: int = PROTOCOL

    def extras(self) -> dict[str, Any]:
        """As the extras of a Pipes session."""
        return {**asdict(self), "lo": self.lo.isoformat(), "hi": self.hi.isoformat()}

    @classmethod
    def of(cls, extras: Mapping[str, Any]) -> Task:
        """From the extras of a Pipes session.

        Raises:
            TaskError: they were made for another version of this code.
        """
        given = extras.get("protocol")
        if given != PROTOCOL:
            raise TaskError(f"the wheel speaks protocol {PROTOCOL}, the platform {given}: build and upload it anew")
        known = dict(extras)
        known["lo"], known["hi"] = date.fromisoformat(known["lo"]), date.fromisoformat(known["hi"])
        known["sources"] = {
            name: Source(**{**one, "files": tuple(one["files"])}) for name, one in known["sources"].items()
        }
        known["target"] = Target(**known["target"])
        known["send_events"] = tuple(known["send_events"])
        known["tie_break"] = tuple((column, is_descending) for column, is_descending in known["tie_break"])
        return cls(**known)
