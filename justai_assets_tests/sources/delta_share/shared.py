"""Shared tables to mirror, and a mirror to compare them with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import write_deltalake

from justai_assets.contract.days import Days
from justai_assets.contract.tables import DELTA_SHARE, FATES, QUARANTINE, UNIFIED_EVENTS
from justai_assets.lake.store import Lake
from justai_assets.sources.delta_share.client import ShareClient
from justai_assets.sources.delta_share.mirror import mirror
from justai_assets.sources.delta_share.mirror_state import MirrorState, Step, Target
from justai_assets.sources.delta_share.profile import Profile
from justai_assets.sources.delta_share.protocol import TableName
from justai_assets.sources.delta_share.transport import RequestPolicy
from justai_assets.storage import Root
from justai_assets.testing.share_server import ShareServer

NAME = "main.events.unified"
TABLE = TableName.parse(NAME)
D1, D2, D3 = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)
QUICK = RequestPolicy(attempts=3, first_wait=0.01, longest_wait=0.2, connect_seconds=2, read_seconds=2)


def events(day: date, count: int = 5, *, tag: str = "m") -> pl.DataFrame:
    """Rows of one day in the contract's columns."""
    start = datetime(day.year, day.month, day.day, 8, tzinfo=UTC)
    return pl.DataFrame(
        {
            "event_name": ["emailSend" if row % 2 == 0 else "purchase" for row in range(count)],
            "event_timestamp": [start + timedelta(seconds=row) for row in range(count)],
            "event_date": [day] * count,
            "message_id": [f"{tag}-{day:%m%d}-{row}" for row in range(count)],
            "template_id": ["501"] * count,
            "campaign_id": [None if row % 3 == 0 else "9001" for row in range(count)],
        },
        schema=UNIFIED_EVENTS.schema,
    )


def write(path: Path, frame: pl.DataFrame, *, by_day: bool = True, feed: bool = False, **how: Any) -> None:
    """Append to (or, with mode and predicate, replace in) a Delta table."""
    write_deltalake(
        path,
        frame,
        mode=how.pop("mode", "append"),
        partition_by=["event_date"] if by_day else None,
        configuration={"delta.enableChangeDataFeed": "true"} if feed else None,
        **how,
    )


def replace_day(path: Path, day: date, frame: pl.DataFrame, *, by_day: bool = True) -> None:
    """Replace one day of a Delta table."""
    write(path, frame, by_day=by_day, mode="overwrite", predicate=f"event_date = '{day}'")


@dataclass
class Mirrored:
    """A server with one shared table, and an org that mirrors it."""

    folder: Path
    server: ShareServer
    slug: str = "acme"
    state: MirrorState | None = None
    steps: list[Step] = field(default_factory=list)

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def lake(self) -> Lake:
        return Lake(Root.parse(str(self.folder / "lake")))

    @property
    def target(self) -> Target:
        return Target(self.lake, self.slug, self.folder / "work", {"run": "test"})

    def client(self, kind: str = "v1", policy: RequestPolicy = QUICK) -> ShareClient:
        return ShareClient(Profile.parse(self.server.profile(kind)), policy=policy)

    def run(self, *, policy: RequestPolicy = QUICK, table: TableName = TABLE, **how: Any) -> list[Step]:
        """Mirror once, keeping the state as a caller would; also after a failure."""
        self.steps = []
        with self.client(policy=policy) as client:
            for step in mirror(client, table, self.target, self.state, **how):
                self.steps.append(step)
                self.state = MirrorState.from_json(step.state.to_json())
        return self.steps

    def written(self) -> list[date | None]:
        """Days that the last run wrote."""
        return [report.day for step in self.steps for report in step.reports]

    def rows(self) -> pl.DataFrame:
        return ordered(self.lake.scan(self.slug, DELTA_SHARE).collect())

    def quarantine(self) -> pl.DataFrame:
        return self.lake.scan(self.slug, QUARANTINE).collect()

    def fates(self) -> dict[tuple[date | None, str, str | None], int]:
        found = self.lake.scan(self.slug, FATES).collect()
        return {(row["event_date"], row["fate"], row["reason"]): row["records"] for row in found.iter_rows(named=True)}

    def asked(self) -> list[str]:
        """Kinds of the requests since the last call."""
        kinds = [kind for kind, _ in self.server.requests]
        self.server.requests.clear()
        return kinds


def ordered(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows in an order that does not depend on who wrote them."""
    return frame.select(UNIFIED_EVENTS.schema.names()).sort(pl.all(), nulls_last=True)


def all_days() -> Days:
    return Days(D1, D3)


def open_mirrored(folder: Path, **how: Any) -> Iterator[Mirrored]:
    """A share whose table the test has yet to write."""
    with ShareServer({NAME: folder / "source"}, **how) as server:
        yield Mirrored(folder, server)
