"""What a run asks of the store stays within bounds: one open of a table serves whoever reads it, until it changes."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from justai_assets.contract.days import Days
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.lake.store import Lake
from justai_assets_tests.lake.lossy_store import lossy
from justai_assets_tests.world import WEBHOOK_ORG, World, esp, journey

FIRST, DAYS = date(2026, 1, 5), 5
LOG_READS, REQUESTS = 400, 1_100
"""It takes 339 and 945. Opened anew each time, they were 1,235 and 1,825."""


@pytest.mark.slow
def test_an_org_over_five_days_reads_each_table_s_log_a_bounded_number_of_times(
    s3_world: World, moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = s3_world
    world.add_org(WEBHOOK_ORG, templates=[{"id": "t", "treatment": {"template_id": "1", "campaign_id": "2"}}])
    for day in (FIRST + timedelta(days=n) for n in range(DAYS)):
        lines = [esp("emailSend", f"{day} 10:00:00", messageId=f"m{day}", templateId="1", campaignId="2")]
        world.land("iterable_webhooks", "acme", day, lines)
        world.land("journey_webhooks", "acme", day, [journey(f"{day} 11:00:00")])
    seen: list[tuple[str, str]] = []
    with lossy(moto_url, lambda *_: False, seen) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        assert world.materialize(str(FIRST), str(FIRST + timedelta(days=DAYS - 1)))
    log = [path for method, path in seen if method == "GET" and "_delta_log/" in path]
    assert len(log) <= LOG_READS
    assert len(seen) <= REQUESTS


def test_a_frame_that_was_asked_for_before_a_commit_shows_the_rows_of_then(world: World) -> None:
    day = Days(FIRST, FIRST)
    lake = world.lake
    replace(lake, "old")
    frame = lake.scan("acme", UNIFIED_EVENTS, day)
    replace(lake, "new")
    now = lake.scan("acme", UNIFIED_EVENTS, day)
    assert frame.collect()["event_name"].to_list() == ["old"]
    assert now.collect()["event_name"].to_list() == ["new"]


def test_what_another_process_commits_is_seen_at_once(world: World) -> None:
    mine, other = Lake(world.lake.root), Lake(world.lake.root)
    for name in ("first", "second", "third"):
        replace(other, name)
        assert mine.scan("acme", UNIFIED_EVENTS).collect()["event_name"].to_list() == [name]


def test_a_table_that_was_moved_away_is_opened_anew(world: World) -> None:
    replace(world.lake, "first")
    assert world.lake.open("acme", UNIFIED_EVENTS) is not None
    shutil.move(world.lake.root.local("acme/unified_events"), world.folder / "away")
    assert world.lake.open("acme", UNIFIED_EVENTS) is None


def replace(lake: Lake, name: str) -> None:
    at = datetime(FIRST.year, FIRST.month, FIRST.day, 12, tzinfo=UTC)
    with lake.replacing("acme", UNIFIED_EVENTS, Days(FIRST, FIRST)) as writer:
        rows = [(name, at, FIRST, "m", None, None)]
        writer.write(FIRST, pl.DataFrame(rows, schema=UNIFIED_EVENTS.schema, orient="row"))
