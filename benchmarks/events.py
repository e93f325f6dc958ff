"""Generated events for the benchmarks: the shapes of a large org, the same bytes for the same arguments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

FIRST_DAY = date(2026, 1, 1)
FILE_ROWS = 4_000_000
SEED = 7


@dataclass(frozen=True)
class Events:
    """Generated files.

    Attributes:
        folder: where they are: `esp/` and `custom/`, a few files a day.
        users: people; each gets one send a day on average, and opens or clicks 0.34.
        days: days of events.
        skew: share of all sends and custom events that belong to one user.
        customs_a_send: custom events for each send.
    """

    folder: Path
    users: int
    days: int
    skew: float = 0.0
    customs_a_send: float = 0.5

    @property
    def esp(self) -> str:
        """Glob of the engagement files."""
        return str(self.folder / "esp" / "*.parquet")

    @property
    def custom(self) -> str:
        """Glob of the custom event files."""
        return str(self.folder / "custom" / "*.parquet")

    @property
    def rows(self) -> int:
        """Input rows in all."""
        return self.days * (int(self.users * 1.34) + int(self.users * self.customs_a_send))

    @property
    def last_day(self) -> date:
        """The last day of events."""
        return FIRST_DAY + timedelta(days=self.days - 1)


def write_events(folder: Path, users: int, *, days: int = 3, skew: float = 0.0, customs_a_send: float = 0.5) -> Events:
    """Generate the files, unless the folder already holds those of the same arguments.

    Message ids are 32 random hex digits, user ids a word and a number, template and campaign ids a few hundred
    numbers; rows of a file are in order of time, at microseconds. zstd Parquet as Polars writes it.
    """
    events = Events(folder, users, days, skew, customs_a_send)
    done = folder / "done"
    label = f"{users} {days} {skew} {customs_a_send} {SEED}"
    if done.is_file() and done.read_text() == label:
        return events
    import numpy as np

    done.unlink(missing_ok=True)
    for kind in ("esp", "custom"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for old in (folder / kind).glob("*.parquet"):
            old.unlink()
    for offset in range(days):
        day = FIRST_DAY + timedelta(days=offset)
        for kind, rows in (("esp", int(users * 1.34)), ("custom", int(users * customs_a_send))):
            parts = max(1, -(-rows // FILE_ROWS))
            for part in range(parts):
                rng = np.random.default_rng([SEED, offset, part, kind == "esp"])
                some = rows * (part + 1) // parts - rows * part // parts
                frame = _frame(rng, kind, some, users, skew, day, part / parts, 1 / parts)
                frame.write_parquet(folder / kind / f"{day}-{part:03d}.parquet", compression="zstd")
    done.write_text(label)
    return events


def _frame(
    rng: Any, kind: str, rows: int, users: int, skew: float, day: date, start: float, share: float
) -> pl.DataFrame:
    import numpy as np

    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
    times = np.sort(rng.integers(int(start * 86_400_000_000), int((start + share) * 86_400_000_000), rows)) + midnight
    people = rng.integers(0, users, rows)
    if skew:
        people[rng.random(rows) < skew] = 0
    columns: dict[str, Any] = {
        "event_timestamp": pl.Series(times).cast(pl.Datetime("us", "UTC")),
        "user_id": pl.Series(people).cast(pl.String),
    }
    if kind == "custom":
        names = ["purchase", "signup", "page_view", "add_to_cart"]
        columns["event_name"] = pl.Series(names).gather(rng.integers(0, len(names), rows))
    else:
        names = ["emailSend", "emailOpen", "emailClick"]
        columns["event_name"] = pl.Series(names).gather(rng.choice(3, rows, p=[1 / 1.34, 0.26 / 1.34, 0.08 / 1.34]))
        columns["message_id"] = random_hex(rng, rows)
        template = rng.integers(0, 200, rows)
        columns["template_id"] = pl.Series(template + 500).cast(pl.String)
        columns["campaign_id"] = pl.Series(template // 4 + 9000).cast(pl.String)
    frame = pl.DataFrame(columns).with_columns(user_id="user-" + pl.col("user_id").str.zfill(9))
    order = ["event_name", "event_timestamp", "message_id", "template_id", "campaign_id", "user_id"]
    return frame.select(name for name in order if name in columns)


def random_hex(rng: Any, rows: int) -> pl.Series:
    """Random 32-digit hex strings, without a loop over rows."""
    return hex_digits(rng.bytes(16 * rows), rows).alias("message_id")


def hex_digits(data: bytes, rows: int) -> pl.Series:
    """16 bytes a row as 32 hex digits, without a loop over rows."""
    import numpy as np
    import pyarrow as pa

    offsets = np.arange(0, 32 * (rows + 1), 32, dtype=np.int64)
    array = pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(data.hex().encode()))
    return pl.Series("", array)
