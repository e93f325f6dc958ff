"""Generated messages with what followed them, as the tables that `message_outcomes` and the attribution read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.events import SEED, hex_digits
from justai_assets.contract.days import Days
from justai_assets.contract.events import LOOKBACK_DAYS, MAX_WINDOW_HOURS
from justai_assets.contract.tables import CUSTOM_EVENTS, ESP_EVENTS, Table
from justai_assets.lake.store import Lake

CHUNK_SENDS: Final = 500_000
FOLLOWERS: Final = (
    # name, share of the messages, mean delay in hours, by a machine
    ("emailOpen", 0.25, 8.0, False),
    ("emailOpen", 0.15, 0.05, True),
    ("emailClick", 0.06, 9.0, False),
    ("emailClick", 0.02, 0.02, True),
    ("emailUnsubscribe", 0.002, 5.0, False),
    ("emailSend", 0.002, 20.0, False),
)
"""What follows a message: opens and clicks by people and machines, and the same message sent again."""
CUSTOMS: Final = (("purchase", 0.1, 12.0), ("page_view", 0.4, 10.0))
"""What the person does afterwards."""


def write_messages(lake: Lake, slug: str, days: Days, sends: int, scratch: Path) -> None:
    """Write esp_events and custom_events of some days: `sends` new messages a day, and what follows them within 72 h.

    Of 20 people, 12 give email and user id in each row, 4 the email alone, 3 the user id alone, and one gives now the
    one, now the other, now both. There are as many people as sends a day. The same arguments give the same rows.

    Args:
        lake: the lake; the days are replaced.
        slug: the org.
        days: event_dates; what would happen later is left out.
        sends: messages a day.
        scratch: folder for the rows until their day is complete; about as large as the tables; removed.
    """
    for day in days:
        for chunk, start in enumerate(range(0, sends, CHUNK_SENDS)):
            rng = np.random.default_rng([SEED, day.toordinal(), chunk])
            for number, (table, frame) in enumerate(_happened(rng, day, min(CHUNK_SENDS, sends - start), sends)):
                kept = frame.filter(pl.col("event_date") <= days.last)
                for (one,), rows in kept.partition_by("event_date", as_dict=True).items():
                    path = scratch / table.name / str(one) / f"{day}-{chunk}-{number}.parquet"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    rows.write_parquet(path, compression="lz4")
    for table in (ESP_EVENTS, CUSTOM_EVENTS):
        with lake.replacing(slug, table, days) as writer:
            for day in days:
                folder = scratch / table.name / str(day)
                if folder.exists():  # few sends have no custom event on their first day
                    writer.write(day, _shaped(pl.scan_parquet(folder / "*.parquet"), table))
                    shutil.rmtree(folder)


def _happened(rng: np.random.Generator, day: date, sends: int, people: int) -> Iterator[tuple[Table, pl.DataFrame]]:
    """The events of some messages, sends first."""
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1_000_000)
    sent = np.sort(rng.integers(0, 86_400_000_000, sends)) + midnight
    template = rng.integers(0, 200, sends)
    person = rng.integers(0, people, sends)
    messages = pl.DataFrame(
        {
            "message_id": hex_digits(rng.bytes(16 * sends), sends),
            "template_id": pl.Series(template + 500).cast(pl.String),
            "campaign_id": pl.Series(template // 4 + 9000).cast(pl.String),
        }
    )
    yield ESP_EVENTS, _frame(rng, sent, person, "emailSend").hstack(messages)
    for name, share, hours, is_machine in FOLLOWERS:
        which = np.flatnonzero(rng.random(sends) < share)
        frame = _frame(rng, sent[which] + _delays(rng, len(which), hours), person[which], name, is_machine=is_machine)
        yield ESP_EVENTS, frame.hstack(messages[which])
    for name, share, hours in CUSTOMS:
        which = np.flatnonzero(rng.random(sends) < share)
        yield CUSTOM_EVENTS, _frame(rng, sent[which] + _delays(rng, len(which), hours), person[which], name)


def _delays(rng: np.random.Generator, rows: int, hours: float) -> npt.NDArray[np.int64]:
    most = MAX_WINDOW_HOURS * 3_600_000_000
    return np.asarray(rng.exponential(hours * 3_600_000_000, rows) % most, np.int64)


def _frame(
    rng: np.random.Generator,
    times: npt.NDArray[np.int64],
    person: npt.NDArray[np.int64],
    name: str,
    *,
    is_machine: bool = False,
) -> pl.DataFrame:
    kind, which = person % 20, rng.integers(0, 3, len(person))
    when = pl.Series("event_timestamp", times).cast(pl.Datetime("us", "UTC"))
    keys = pl.DataFrame(
        {
            "email_key": _key(person, 1),
            "user_key": _key(person, 2),
            "has_email": (kind < 16) | ((kind == 19) & (which != 0)),
            "has_user": (kind < 12) | ((kind > 15) & (kind < 19)) | ((kind == 19) & (which != 1)),
        }
    ).select(pl.when("has_email").then("email_key"), pl.when("has_user").then("user_key"))
    return keys.with_columns(
        when,
        when.dt.date().alias("event_date"),
        pl.lit(name).alias("event_name"),
        pl.lit(is_machine).alias("is_machine"),
    )


def _key(person: npt.NDArray[np.int64], space: int) -> pl.Series:
    """32 hex digits that look like a pseudonym, the same for the same person."""
    words = np.empty((len(person), 2), np.uint64)
    for at in range(2):
        mixed = (person.astype(np.uint64) + np.uint64(4 * at + space)) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        words[:, at] = mixed ^ (mixed >> np.uint64(31))
    return hex_digits(words.tobytes(), len(person))


def _shaped(frame: pl.LazyFrame, table: Table) -> pl.LazyFrame:
    have = set(frame.collect_schema())
    made: dict[str, Any] = {"raw_event_name": pl.col("event_name"), "door": pl.lit("bench")}
    if table is ESP_EVENTS:
        made["event_id"] = pl.col("message_id")
    return frame.select(
        (pl.col(name) if name in have else made.get(name, pl.lit(None))).cast(dtype).alias(name)
        for name, dtype in table.schema.items()
    )


def days_around(day: date) -> Days:
    """The days that the outcome of a send day is made from."""
    reach = timedelta(days=LOOKBACK_DAYS)
    return Days(day - reach, day + reach)
