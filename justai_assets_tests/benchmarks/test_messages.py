from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl

from benchmarks.messages import days_around, write_messages
from justai_assets.contract.tables import CUSTOM_EVENTS, ESP_EVENTS
from justai_assets_tests.world import World

DAY = date(2026, 1, 8)


def test_what_follows_a_message_belongs_to_it_and_the_same_arguments_give_the_same_rows(
    world: World, tmp_path: Path
) -> None:
    days = days_around(DAY)
    frames = []
    for slug in ("one", "two"):
        write_messages(world.lake, slug, days, 400, tmp_path / slug)
        frames.append(world.lake.scan(slug, ESP_EVENTS).collect())
        assert world.lake.scan(slug, CUSTOM_EVENTS).collect().height > 0
    assert frames[0].sort(pl.all()).equals(frames[1].sort(pl.all()))
    events = frames[0]
    first = events.filter(pl.col("event_name") == "emailSend").group_by("message_id").agg(
        pl.col("event_timestamp").min().alias("sent")
    )  # fmt: skip
    ages = (
        events.join(first, on="message_id", how="left").select(pl.col("event_timestamp") - pl.col("sent")).to_series()
    )
    assert ages.null_count() == 0
    assert timedelta() <= ages.min() <= ages.max() < timedelta(hours=72)
    assert set(events["is_machine"]) == {True, False}
    kinds = events.select(pl.col("email_key").is_null(), pl.col("user_key").is_null()).unique().rows()
    assert set(kinds) == {(False, False), (False, True), (True, False)}
