"""Orgs for doctor to look at, for tests."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import polars as pl

from justai_assets.orgs.org_model import Org
from justai_assets.quality.doctor.examination import examine
from justai_assets.quality.doctor.finding import Finding
from justai_assets_tests.world import WEBHOOK_ORG, World, esp, journey

NOW = datetime.now(UTC)
TODAY = NOW.date()
YESTERDAY = TODAY - timedelta(days=1)


def look(world: World, org: Org) -> list[Finding]:
    return list(examine(world.landing, world.lake, org, NOW))


def of(findings: list[Finding], door: str, check: str) -> list[tuple[str, str]]:
    return [(one.level, one.message) for one in findings if (one.door, one.check) == (door, check)]


def bought(count: int, *, name: str = "purchase", who: str | None = "jane@example.com", at: int = 12) -> pl.DataFrame:
    moment = datetime.combine(YESTERDAY, datetime.min.time()) + timedelta(hours=at)
    times = [moment + timedelta(minutes=number) for number in range(count)]
    schema = {"event_timestamp": pl.Datetime("us"), "event_name": pl.String, "user_id_or_email": pl.String}
    return pl.DataFrame({"event_timestamp": times, "event_name": name, "user_id_or_email": who}, schema=schema)


def well(world: World) -> Org:
    """An org all of whose doors are well."""
    org = world.add_org(WEBHOOK_ORG)
    names = ("emailSend", "emailOpen", "emailClick")
    lines = [esp(name, f"{YESTERDAY} 09:00:00", messageId="m") for name in names]
    received = [line.replace("2026-01-05T12:00:00Z", f"{YESTERDAY}T09:00:02Z") for line in lines]
    world.land("iterable_webhooks", "acme", YESTERDAY, received)
    world.land("journey_webhooks", "acme", YESTERDAY, [journey(f"{YESTERDAY} 10:00:00")])
    world.drop("redshift", "acme", YESTERDAY, bought(3))
    return org


def change(world: World, key: str, hours: float) -> None:
    moment = (NOW - timedelta(hours=hours)).timestamp()
    os.utime(world.landing.local(key), (moment, moment))
