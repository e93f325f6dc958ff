"""message_id → copy_id for send days, from what Generate served, with what became of every record."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from justai_assets.orgs.model import Org
from justai_assets.sources.generate import DOOR, SERVED_COPIES
from justai_assets.sources.intake import open_day
from justai_assets.storage import Root

COPIES: Final = pl.Schema({"message_id": pl.String(), "copy_id": pl.String()})


@dataclass
class ServedCopies:
    """What Generate served, read day by day; every day is read once and waits on the local disk.

    Memory holds the ids of one day, whatever a record carries. received = accepted + duplicates + refused.

    Attributes:
        landing: the landing root.
        org: the org.
        scratch: a folder for ids of messages and copies; its owner removes it.
        received: records of the days read.
        accepted: those that tie a message to a copy.
        duplicates: those that repeat another record.
        refused: the others, by reason.
    """

    landing: Root
    org: Org
    scratch: Path
    received: int = 0
    accepted: int = 0
    duplicates: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    _kept: dict[date, Path] = field(default_factory=dict)

    def of_sends(self, day: date) -> pl.LazyFrame:
        """COPIES for the messages sent on a day (UTC).

        Generate is called while a message is rendered, just before it is sent: the calls of the day and of the day
        before are read. Proofs and retries call it too; of several calls for a message the last one counts (ties: the
        greatest copy_id), and a message is in the result once.
        """
        calls = pl.scan_parquet([self._day(one) for one in (day - timedelta(days=1), day)])
        return _last(calls).select(COPIES.names())

    def fates(self) -> dict[str, int]:
        """What became of the records read, by name; nothing where there were none."""
        if not self.received:
            return {}
        fates = {"received": self.received, "accepted": self.accepted, "duplicate": self.duplicates}
        return fates | {f"quarantined: {reason}": records for reason, records in sorted(self.refused.items())}

    def _day(self, day: date) -> Path:
        if day not in self._kept:
            path = self.scratch / f"copies-{day}.parquet"
            with open_day(self.landing, self.org, DOOR, day, SERVED_COPIES) as intake:
                _last(intake.accepted).sink_parquet(path, engine="streaming")
                refused = intake.rejected.group_by("reason").agg(pl.col("records").sum()).collect(engine="streaming")
                reasons = Counter(dict(refused.iter_rows()))
                self.received += intake.received
                self.duplicates += intake.duplicates
                self.refused += reasons
                self.accepted += intake.received - intake.duplicates - reasons.total()
            self._kept[day] = path
        return self._kept[day]


def _last(calls: pl.LazyFrame) -> pl.LazyFrame:
    """One row a message: its last call."""
    ordered = calls.sort("event_timestamp", "copy_id")
    return ordered.unique("message_id", keep="last").select("message_id", "copy_id", "event_timestamp")
