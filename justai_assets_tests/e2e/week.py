"""Three landed days of one org, and what its tables hold."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import polars as pl

from justai_assets.contract.tables import (
    TABLES,
)
from justai_assets_tests.world import World, esp, journey

IDS = {"messageId": "m" * 32, "templateId": 501, "campaignId": 9001}


def land_a_week(world: World) -> None:
    """Three days of sends, opens and purchases, with a duplicate, a bad line, and a Redshift drop."""
    luck = random.Random(3)
    for offset in range(3):
        day = date(2026, 1, 5) + timedelta(days=offset)
        lines, journeys, drops = [], [], []
        for person in range(40):
            sent = datetime(day.year, day.month, day.day, luck.randrange(20), luck.randrange(60), tzinfo=UTC)
            ids = {"messageId": f"{luck.getrandbits(128):032x}", "templateId": 501 + person % 2, "campaignId": 9001}
            lines.append(
                esp("emailSend", f"{sent:%Y-%m-%d %H:%M:%S}", f"p{person}@example.com", user_id=f"u-{person}", **ids)
            )
            lines.append(
                esp("emailOpen", f"{sent + timedelta(minutes=3):%Y-%m-%d %H:%M:%S}", f"p{person}@example.com", **ids)
            )
            if person % 4 == 0:
                journeys.append(journey(f"{sent + timedelta(minutes=30):%Y-%m-%d %H:%M:%S}", f"p{person}@example.com"))
            if person % 5 == 0:
                drops.append((sent + timedelta(minutes=45), "signup", f"u-{person}"))
        world.land("iterable_webhooks", "acme", day, [*lines, lines[0], "{broken"])
        world.land("journey_webhooks", "acme", day, journeys)
        schema = {"event_timestamp": pl.Datetime("us", "UTC"), "event_name": pl.String, "user_id_or_email": pl.String}
        world.drop("redshift", "acme", day, pl.DataFrame(drops, schema=schema, orient="row"))


def snapshot(world: World) -> dict[str, pl.DataFrame]:
    return {name: world.table(table) for name, table in TABLES.items()}


def assert_same(left: dict[str, pl.DataFrame], right: dict[str, pl.DataFrame]) -> None:
    for name in left:
        assert left[name].equals(right[name]), name
