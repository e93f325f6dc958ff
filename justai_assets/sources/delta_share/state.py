"""What a mirror remembers between runs. The caller keeps it; losing it costs one full copy, nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from justai_assets.contract.errors import JustAIError
from justai_assets.sources.delta_share.days import Day, day_text, parse_day_text

FORMAT = 1


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
        lake_version: version of the mirror's own Delta table after the last commit. Where the table has another, a
            run was killed between a commit and its report, and rows that are there may be unknown downstream.
    """

    table: str
    version: int | None = None
    days: Mapping[Day, str] = field(default_factory=dict)
    learned: Mapping[str, str] = field(default_factory=dict)
    change_feed: bool = False
    lake_version: int | None = None

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
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise StateError(
                "the kept state of the share's mirror cannot be read", mend="delete it; the next run copies all days"
            ) from None
