"""What a mirror remembers between runs. The caller keeps it; losing it costs one full copy, nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from justai_assets.contract.errors import JustAIError
from justai_assets.sources.delta_share.days import Day, day_text, days_text, parse_day_text, parse_days

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
