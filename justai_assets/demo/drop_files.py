"""The demo's warehouse drops: Redshift with a manifest and a stale part, Databricks with commits and an aborted job."""

from __future__ import annotations

import io
import json
import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

import polars as pl

from justai_assets.contract.tables import UTC_TIMESTAMP
from justai_assets.demo.happenings import Happening
from justai_assets.landing.landing_paths import day_prefix, door_prefix
from justai_assets.sources.warehouse_drop.spec import DATABRICKS, REDSHIFT
from justai_assets.storage import Root

_TYPES = {"event_timestamp": UTC_TIMESTAMP}


def land_redshift(landing: Root, slug: str, events: Iterable[Happening]) -> None:
    """UNLOAD custom events with a manifest. On the last day an earlier, larger export has left a stale part behind."""
    by_day: dict[date, list[tuple[datetime, date, str, str, float | None]]] = defaultdict(list)
    for event in events:
        identity = event.person.user_id or event.person.email
        row = (event.at.replace(tzinfo=None), event.at.date(), event.name, identity, event.value)
        by_day[event.at.date()].append(row)
    entries = []
    schema = pl.Schema(
        {
            "event_timestamp": pl.Datetime("us"),
            "event_date": pl.Date(),
            "event_name": pl.String(),
            "user_id_or_email": pl.String(),
            "value": pl.Float64(),
        }
    )
    for day, rows in sorted(by_day.items()):
        folder = day_prefix(REDSHIFT.name, slug, day)
        half = len(rows) // 2
        for part, piece in enumerate((rows[:half], rows[half:])):
            frame = pl.DataFrame(piece, schema=schema, orient="row")
            key = f"{folder}/{part:04d}_part_00.parquet"
            content = _parquet(frame)
            landing.write(key, content)
            meta = {"content_length": len(content), "record_count": frame.height}
            entries.append({"url": f"s3://justwords-metrics-ingest/{key}", "meta": meta})
    if not by_day:
        return
    last = max(by_day)
    stale = pl.DataFrame(by_day[last][:25], schema=schema, orient="row")
    landing.write(f"{day_prefix(REDSHIFT.name, slug, last)}/0002_part_00.parquet", _parquet(stale))
    manifest = json.dumps({"entries": entries}).encode()
    landing.write(f"{door_prefix(REDSHIFT.name, slug)}/manifest", manifest)


def write_files(folder: Path, events: Iterable[Happening]) -> None:
    """Write the events as `justai attribute` reads them: esp.parquet and custom.parquet."""
    rows = [
        (
            event.name,
            event.at,
            event.message_id,
            *((event.arm.template_id, event.arm.campaign_id) if event.arm else (None, None)),
            event.person.email,
            event.arm is None,
        )
        for event in events
    ]
    names = ("event_name", "event_timestamp", "message_id", "template_id", "campaign_id", "user_id", "is_custom")
    types = (pl.String, UTC_TIMESTAMP, *(pl.String,) * 4, pl.Boolean)
    frame = pl.DataFrame(rows, schema=dict(zip(names, types, strict=True)), orient="row")
    folder.mkdir()
    frame.filter(~pl.col("is_custom")).drop("is_custom").write_parquet(folder / "esp.parquet")
    custom = frame.filter("is_custom").select("event_name", "event_timestamp", "user_id")
    custom.write_parquet(folder / "custom.parquet")


def unified_frame(events: Iterable[Happening]) -> pl.DataFrame:
    """Events in the five columns of the unified stream that a customer exports."""
    rows = [
        (
            event.name.replace("emailUnSubscribe", "emailUnsubscribe"),
            event.at,
            event.message_id,
            event.arm.template_id if event.arm else None,
            event.arm.campaign_id if event.arm else None,
        )
        for event in events
    ]
    names = ["event_name", "event_timestamp", "message_id", "template_id", "campaign_id"]
    return pl.DataFrame(rows, schema=pl.Schema({name: _TYPES.get(name, pl.String()) for name in names}), orient="row")


def land_databricks(landing: Root, slug: str, events: Iterable[Happening], luck: random.Random) -> None:
    """Export the unified stream, with what events are worth, and commit files.

    One day holds a file that an aborted job left uncommitted.
    """
    happened = list(events)
    frame = unified_frame(happened).with_columns(pl.Series("value", [event.value for event in happened], pl.Float64))
    frame = frame.with_columns(pl.col("event_timestamp").dt.date().alias("event_date"))
    for (day,), one in sorted(frame.partition_by("event_date", as_dict=True).items()):
        assert isinstance(day, date)
        folder = day_prefix(DATABRICKS.name, slug, day)
        job = str(luck.randrange(10**18, 10**19))
        name = f"part-00000-tid-{job}-0001-c000.snappy.parquet"
        landing.write(f"{folder}/_started_{job}", b"")
        landing.write(f"{folder}/{name}", _parquet(one.drop("event_date")))
        landing.write(f"{folder}/_committed_{job}", json.dumps({"added": [name], "removed": []}).encode())
        landing.write(f"{folder}/_SUCCESS", b"")
    aborted = str(luck.randrange(10**18, 10**19))
    landing.write(f"{folder}/_started_{aborted}", b"")
    landing.write(f"{folder}/part-00000-tid-{aborted}-0001-c000.snappy.parquet", _parquet(one.head(40)))


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="snappy")
    return buffer.getvalue()
