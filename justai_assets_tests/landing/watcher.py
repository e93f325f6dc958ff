"""A door's sensor without Dagster, and a landing zone to watch."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from justai_assets.landing.change_detection import Tick, watch
from justai_assets.landing.landing_paths import day_prefix
from justai_assets.landing.org_changes import Cache, Watched
from justai_assets.landing.sensor_cursor import decode, encode
from justai_assets_tests.world import World

START = date(2026, 1, 1)
DOOR = "redshift"


def ahead(**more: int) -> datetime:
    return datetime.now(UTC) + timedelta(**more)


@dataclass
class Watcher:
    """A sensor without Dagster: it keeps the cursor as text, as the instance would."""

    world: World
    orgs: dict[str, Watched]
    door: str = DOOR
    cursor: str | None = None
    cache: Cache = field(default_factory=Cache)
    slice_name: str = ""

    def tick(self, *, now: datetime | None = None, is_crash: bool = False, **more: object) -> Tick:
        known = decode(self.cursor)
        more = {"clock": time.monotonic, **more}
        tick = watch(
            self.world.landing, self.world.lake.root, self.door, self.orgs, known, now=now or datetime.now(UTC),
            cache=self.cache, slice_name=self.slice_name, **more,
        )  # fmt: skip
        if is_crash:
            self.cache = Cache()
        else:
            self.cursor = encode(tick.cursor)
        return tick

    def reported(self, **more: object) -> list[tuple[str, str]]:
        return [(slug, str(day.day)) for slug, day, _ in self.tick(**more).reports]


AT_ONCE = Watched(START)
SETTLING = Watched(START, timedelta(minutes=5))


def put(world: World, slug: str, day: str | None, content: str = "x", name: str = "0000_part_00.parquet") -> str:
    key = f"{day_prefix(DOOR, slug, None if day is None else date.fromisoformat(day))}/{name}"
    world.landing.write(key, content.encode())
    return key


def days_before_now(*numbers: int) -> list[str]:
    return [str(datetime.now(UTC).date() - timedelta(days=number)) for number in numbers]
