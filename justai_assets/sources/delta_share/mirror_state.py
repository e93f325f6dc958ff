"""What a mirror remembers between runs, where that is kept, and the step after which it is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from justai_assets.contract.errors import JustAIError
from justai_assets.contract.tables import DELTA_SHARE, Table
from justai_assets.lake.ledger import DayReport
from justai_assets.lake.stamp import Stamp
from justai_assets.lake.store import Lake
from justai_assets.orgs.extra_columns import extra_of
from justai_assets.sources.delta_share.file_days import Day, day_text, days_text, parse_day_text, parse_days
from justai_assets.sources.delta_share.share_errors import BusyShareError

FORMAT = 1

DIRTY = ""
"""The fingerprint of a day that has to be written, or emptied, whatever its files are: no file set has it."""

STRANGE = "another table's"
"""The fingerprint of a day that was taken from a table that is gone: its rows are compared, its files are not."""


class StateError(JustAIError):
    """A kept state that cannot be read."""

    code = "share_state"


@dataclass(frozen=True)
class MirrorState:
    """What the mirror holds.

    Attributes:
        table: share.schema.table it was taken from; another table starts from nothing.
        version: version of the share that the mirror equals, or None in the middle of a copy.
        days: day → fingerprint of the files it was written from.
        learned: file id → the days found in it, for files that only reading could tell.
        change_feed: whether the table last said that it has a change data feed.
        lake_version: version of the mirror's own Delta table up to which this state knows it. Days that later versions
            wrote were written by a run that was killed between a commit and its report, or from outside.
        endpoint: of the server it was taken from; another server starts from nothing.
        table_id: the shared table's own id; a table that was dropped and made anew has another.
        copying: version of the share of which some days are copied and some are not, or None.
        done: the days of that version that are copied.
        broken: how the share last broke the contract, or "".
    """

    table: str
    version: int | None = None
    days: Mapping[Day, str] = field(default_factory=dict)
    learned: Mapping[str, str] = field(default_factory=dict)
    change_feed: bool = False
    lake_version: int | None = None
    endpoint: str = ""
    table_id: str = ""
    copying: int | None = None
    done: frozenset[Day] = frozenset()
    broken: str = ""

    def dirty(self) -> frozenset[Day]:
        """The days that have to be written whatever their files are."""
        return frozenset(day for day, found in self.days.items() if found == DIRTY)

    def with_dirty(self, days: Iterable[Day]) -> MirrorState:
        """The same, with days that have to be written."""
        marked = frozenset(days)
        return replace(self, days={**self.days, **dict.fromkeys(marked, DIRTY)}, done=self.done - marked)

    def of_other_files(self, table_id: str) -> MirrorState:
        """The same rows, but taken from a table that is gone: every day is compared with the new one's."""
        days = {day: found and STRANGE for day, found in self.days.items()}
        return replace(
            self, version=None, days=days, learned={}, table_id=table_id, copying=None, done=frozenset()
        )  # fmt: skip

    def to_json(self) -> str:
        """As text; it holds no secret and no record."""
        value = {
            "format": FORMAT,
            "table": self.table,
            "version": self.version,
            "days": {day_text(day): found for day, found in self.days.items()},
            "learned": dict(self.learned),
            "change_feed": self.change_feed,
            "lake_version": self.lake_version,
            "endpoint": self.endpoint,
            "table_id": self.table_id,
            "copying": self.copying,
            "done": days_text(self.done),
            "broken": self.broken,
        }
        return json.dumps(value, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> MirrorState:
        """The inverse of `to_json`; StateError when the text is none of ours."""
        try:
            value: dict[str, Any] = json.loads(text)
            known = {FORMAT: value}[value["format"]]
            return cls(
                table=known["table"],
                version=known["version"],
                days={parse_day_text(day): found for day, found in known["days"].items()},
                learned=known["learned"],
                change_feed=known["change_feed"],
                lake_version=known["lake_version"],
                # Not in what earlier versions of this code kept.
                endpoint=known.get("endpoint", ""),
                table_id=known.get("table_id", ""),
                copying=known.get("copying"),
                done=parse_days(known.get("done", "")),
                broken=known.get("broken", ""),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise StateError(
                "the kept state of the share's mirror cannot be read", mend="delete it; the next run copies all days"
            ) from None


@dataclass(frozen=True)
class Step:
    """What one commit did.

    Attributes:
        reports: the days written, in order, emptied ones with 0 rows.
        vanished: days that the share no longer holds; they are empty now.
        state: what the mirror holds now; to be kept by the caller, who gives it to the next run.
        listed_by: `changes` where the change feed told the days, else `snapshot`.
        notes: what a person should know, in words.
    """

    reports: tuple[DayReport, ...]
    vanished: tuple[Day, ...]
    state: MirrorState
    listed_by: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """Where a mirror goes.

    Attributes:
        lake: the lake.
        slug: the org.
        work: folder of our own for downloads; kept between runs it spares what has arrived already. Never used by two
            runs at once.
        note: put into the commits' metadata.
        stamp: by what the rows are made.
        table: DELTA_SHARE, with the columns that the org declares.
    """

    lake: Lake
    slug: str
    work: Path
    note: Mapping[str, str]
    stamp: Stamp | None = None
    table: Table = DELTA_SHARE

    @property
    def cuts(self) -> Path:
        """Folder of cut files; of its own for each set of declared columns, which a cut holds or lacks."""
        return self.work / "-".join(["cuts", *sorted(extra_of(self.table))])


def state_key(lake: Lake, slug: str) -> str:
    """The object's key below the lake root."""
    return f"{lake.key(slug, DELTA_SHARE)}.state.json"


def load_state(lake: Lake, slug: str) -> MirrorState | None:
    """What the last run kept, or None when none did; StateError when it cannot be read."""
    try:
        text = lake.root.read(state_key(lake, slug)).decode()
    except FileNotFoundError:
        return None
    return MirrorState.from_json(text)


def save_state(lake: Lake, slug: str, state: MirrorState) -> None:
    """Keep a state for the next run."""
    lake.root.write(state_key(lake, slug), state.to_json().encode())


def _make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def sole_user(work: Path) -> Iterator[Path]:
    """The work folder, for this run alone; BusyShareError when another run of this machine is using it."""
    import fcntl

    _make_private(work.parent)
    with work.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyShareError("another run is mirroring this share", mend="it is retried") from None
        # The lock ends with the file, also when the process is killed.
        yield work
