"""`justai attribute` on small files, for tests."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from justai_assets.attribution.file_attribution import Summary, attribute_files
from justai_assets.attribution.rule import Rule
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets_tests.attribution.events import MIDNIGHT
from justai_assets_tests.attribution.oracle import judge, rows_of, unified_by_sql

SEND: dict[str, Any] = {
    "event_name": "emailSend", "event_timestamp": MIDNIGHT, "message_id": "m", "template_id": "501",
    "campaign_id": "9001", "user_id": "7",
}  # fmt: skip
PURCHASE: dict[str, Any] = {"event_name": "purchase", "event_timestamp": MIDNIGHT + timedelta(hours=1), "user_id": "7"}


def run(
    folder: Path, esp: pl.DataFrame, custom: pl.DataFrame, rule: Rule, **options: Any
) -> tuple[pl.DataFrame, Summary]:
    for name, frame in (("esp", esp), ("custom", custom)):
        half = len(frame) // 2
        (folder / name).mkdir()
        # One file has its rows by time, so that some row groups are of one day; the other as they come.
        frame[:half].sort("event_timestamp").write_parquet(folder / name / "1.parquet", row_group_size=2)
        frame[half:].write_parquet(folder / name / "2.parquet", row_group_size=3)
    summary = attribute_files(f"{folder}/esp/*.parquet", f"{folder}/custom/*.parquet", folder / "out", rule, **options)
    return read_out(folder / "out", summary), summary


def read_out(out: Path, summary: Summary) -> pl.DataFrame:
    files = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert files == sorted(summary.files)
    frames = [UNIFIED_EVENTS.schema.to_frame()]
    for name in files:
        frame = pl.read_parquet(out / name, hive_partitioning=False)
        assert frame.schema == UNIFIED_EVENTS.schema
        assert len(frame) > 0
        assert {f"event_date={day}" for day in frame["event_date"]} == {name.split("/")[0]}
        frames.append(frame)
    return pl.concat(frames)


def reasons(esp: pl.DataFrame, custom: pl.DataFrame, rule: Rule) -> dict[str, int]:
    """The unattributed events by reason, as the other oracle counts them."""
    keyed = [{**row, "user_key": row["user_id"], "email_key": None} for row in esp.to_dicts()]
    counted: Counter[str] = Counter()
    for event in custom.to_dicts():
        earliest = event["event_timestamp"].date() - timedelta(days=3)
        known = [row for row in keyed if row["event_timestamp"].date() >= earliest]
        reason = judge({**event, "user_key": event["user_id"], "email_key": None}, known, rule).reason
        counted.update([reason] if reason else [])
    return dict(counted)


def check_against_the_sql(esp: pl.DataFrame, custom: pl.DataFrame, rule: Rule, **options: Any) -> None:
    expected = unified_by_sql(esp, custom, rule)
    with TemporaryDirectory() as folder:
        out, summary = run(Path(folder), esp, custom, rule, **options)
    assert rows_of(out) == rows_of(expected)
    assert (summary.engagement, summary.custom, summary.incomplete) == (len(esp), len(custom), 0)
    assert summary.attributed == len(expected) - len(esp)
    assert summary.unattributed == reasons(esp, custom, rule)
    assert summary.attributed + sum(summary.unattributed.values()) == summary.custom
    assert summary.days == dict(sorted(expected["event_date"].value_counts().iter_rows()))


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(60) + content[64:])
