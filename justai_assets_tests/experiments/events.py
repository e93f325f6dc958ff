"""A lake of engagement alone, made row by row: what judging reads, without the stations before it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, ESP_EVENTS
from justai_assets.events.message_outcomes import build_message_outcomes
from justai_assets.events.message_parts import Part, others_of, sends_of
from justai_assets.experiments.copy_daily_build import build_copy_daily
from justai_assets.orgs.org_model import Org
from justai_assets_tests.world import WEBHOOK_ORG, World

FIRST = date(2026, 1, 5)
WELCOME: dict[str, Any] = {
    "id": "welcome",
    "treatment": {"template_id": "501", "campaign_id": "9001"},
    "control": {"template_id": "502", "campaign_id": "9001"},
    "control_share": None,
}


def an_org(world: World, *templates: dict[str, Any], **changes: Any) -> Org:
    return world.add_org(WEBHOOK_ORG, templates=list(templates or [WELCOME]), **changes)


def one_part(events: pl.LazyFrame, days: Days) -> Part:
    """Events as one part without a lake between: a person is the user id, else the email; no copy is known."""
    person = pl.coalesce("user_key", "email_key").alias("person")
    sends = sends_of(events, days).with_columns(person, pl.lit(None, pl.String).alias("copy_id"))
    return Part(sends.collect(), others_of(events, days).collect())


def send_day(
    world: World, day: date, treatment: int, control: int, *, ids: tuple[str, str] = ("501", "502"), name: str = ""
) -> None:
    """Replace a day: so many sends, every third of them clicked a minute later; a person is known by a key."""
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    rows = []
    for template, count in zip(ids, (treatment, control), strict=True):
        for person in range(count):
            message = f"{name}{day} {template} {person}"
            for event, minutes in (("emailSend", 0), *((("emailClick", 1),) if person % 3 == 0 else ())):
                rows.append({
                    "event_id": f"{event} {message}", "event_name": event, "raw_event_name": event,
                    "event_timestamp": at + timedelta(minutes=minutes), "event_date": day, "message_id": message,
                    "template_id": template, "campaign_id": "9001", "user_key": f"{person:032x}", "is_machine": False,
                    "door": "iterable_webhooks",
                })  # fmt: skip
    write(world, ESP_EVENTS, day, pl.DataFrame(rows, schema=ESP_EVENTS.schema))
    write(world, ATTRIBUTED_EVENTS, day, pl.DataFrame(schema=ATTRIBUTED_EVENTS.schema))
    rebuild(world, day)


def rebuild(world: World, day: date) -> None:
    """Build again what a changed day of events can change."""
    org, reopened = world.orgs["acme"], Days(day - timedelta(3), day + timedelta(3))
    build_message_outcomes(org, world.lake, reopened)
    build_copy_daily(org, world.lake, reopened)


def write(world: World, table: Any, day: date, frame: pl.DataFrame) -> None:
    with world.lake.replacing("acme", table, Days(day, day)) as writer:
        writer.write(day, frame)
