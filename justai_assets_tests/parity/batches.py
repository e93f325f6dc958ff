"""Many random datasets at once: people and ids of each are its own, so that one query answers for all of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from hypothesis import strategies as st

from justai_assets.attribution.file_attribution import attribute_files
from justai_assets.attribution.rule import Rule
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets_tests.attribution.events import MIDNIGHT, custom_file, custom_names, esp_file, ids, names, users

DATASETS = 20
IDS = ("user_id", "message_id", "template_id", "campaign_id")

ESP_POOLS = {"event_name": names, "message_id": ids, "template_id": ids, "campaign_id": ids, "user_id": users}
CUSTOM_POOLS = {"event_name": custom_names, "user_id": users}

Batch = tuple[pl.DataFrame, pl.DataFrame]


def _random_rows(random: Random, columns: dict[str, Any], most: int, hours: range) -> list[dict[str, Any]]:
    def row() -> dict[str, Any]:
        moment = timedelta(hours=random.choice(hours), microseconds=random.choice((0, 0, -1, 1)))
        drawn = {name: random.choice(pool.elements) for name, pool in columns.items()}
        return {**drawn, "event_timestamp": MIDNIGHT + moment}

    some = [row() for _ in range(random.randint(0, most))]
    return some + random.choices(some, k=random.randint(0, 3)) if some else some


def _marked(rows: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    # A mark in front keeps the order of ids within a dataset, the empty one and null included.
    return [
        {name: f"{number}|{value}" if name in IDS and value is not None else value for name, value in row.items()}
        for row in rows
    ]


def _batch(seed: int) -> Batch:
    random = Random(seed)
    esp, custom = [], []
    for number in range(DATASETS):
        esp += _marked(_random_rows(random, ESP_POOLS, 14, range(-96, 48, 6)), number)
        custom += _marked(_random_rows(random, CUSTOM_POOLS, 10, range(-48, 54, 6)), number)
    return esp_file(esp), custom_file(custom)


batches: st.SearchStrategy[Batch] = st.integers(0, 2**63).map(_batch)
"""Engagement and custom events of twenty datasets, from the pools of the engine's own property tests.

Hypothesis draws the seed, not every cell: a thousand datasets cell by cell take longer to draw than to check. A
failure names its seed, and the engine's own tests shrink.
"""


def unified_by_engine(esp: pl.DataFrame, custom: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """What `justai attribute` writes for them."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        esp.write_parquet(folder / "esp.parquet")
        custom.write_parquet(folder / "custom.parquet")
        summary = attribute_files(str(folder / "esp.parquet"), str(folder / "custom.parquet"), folder / "out", rule)
        frames = [pl.read_parquet(folder / "out" / file, hive_partitioning=False) for file in summary.files]
    return pl.concat([UNIFIED_EVENTS.schema.to_frame(), *frames])


def timed(frame: pl.DataFrame, *, is_zoned: bool) -> pl.DataFrame:
    """The same events with instants, or with naive UTC times."""
    return frame.with_columns(pl.col("event_timestamp").cast(pl.Datetime("us", "UTC" if is_zoned else None)))


def contract(frame: pl.DataFrame) -> pl.DataFrame:
    """The six columns in the contract's order; a column more or less fails."""
    assert sorted(frame.columns) == sorted(UNIFIED_EVENTS.schema)
    return frame.select(UNIFIED_EVENTS.schema.names())
