"""A week of two orgs with everything that figures are made of: one joined by us, one joined by the org itself.

It has several templates with arms, copies and a shared control, machine opens, clicks by bots, unsubscribes, custom
events with three windows and values, events on the edge of a window, messages sent on two days, an id that is used
again, events without a message, and files that come late.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.dag.headless import make_report
from justai_assets.landing.event_id import event_id
from justai_assets.reporting.report_files import shelve_report
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp

FIRST = date(2026, 1, 5)
SENDS = Days(FIRST, FIRST + timedelta(days=6))
"""The send days."""
BUILT = Days(FIRST, FIRST + timedelta(days=10))
"""The days with events."""
JOINED, UNIFIED = "acme", "globex"

CHANGES: dict[str, dict[str, Any]] = {
    JOINED: {
        "attribution": {"window_hours": 24, "windows": {"purchase": 48}},
        "sources": {
            "iterable_webhooks": {},
            "journey_webhooks": {"events": {"290146": "signup"}},
            "redshift": {"content": "custom_events", "extra_columns": ["value"]},
        },
        "templates": [
            {
                "id": "welcome",
                "key_metric": "purchase",
                "control_share": 0.5,
                "treatment": {"template_id": "501", "campaign_id": "9001"},
                "control": {"template_id": "502", "campaign_id": "9002"},
            },
            {
                "id": "spring",
                "key_metric": "signup",
                "control_share": 0.6,
                "treatment": {"template_id": "503", "campaign_id": "9003"},
                "control": {"template_id": "502", "campaign_id": "9002"},
            },
            {"id": "solo", "key_metric": "open", "treatment": {"template_id": "505", "campaign_id": "9005"}},
        ],
    },
    UNIFIED: {
        "attribution": {"window_hours": 24, "windows": {"visit": 72}, "send_events": ["emailSend", "letterSend"]},
        "sources": {"databricks": {"content": "unified_events", "extra_columns": ["value"]}},
        "experiments": {"events": ["visit"]},
        "templates": [
            {
                "id": "onboarding",
                "key_metric": "upgrade",
                "control_share": 0.5,
                "treatment": {"template_id": "601", "campaign_id": "9101"},
                "control": {"template_id": "602", "campaign_id": "9102"},
            }
        ],
    },
}
ARMS = (*((501, 9001),) * 60, *((502, 9002),) * 60, *((503, 9003),) * 40, *((505, 9005),) * 6, *((777, 9777),) * 4)
"""Template and campaign by number of the message of a day; nobody's org file names the last."""
COPIES = {501: ("copy-a", "copy-b"), 502: ("original",), 601: ("copy-x", "copy-y")}

Row = tuple[str, datetime, str | None, str | None, str | None, float | None]


def add_orgs(world: World) -> None:
    """Write both org files."""
    for base in (WEBHOOK_ORG, UNIFIED_ORG):
        world.add_org(base, **CHANGES[base["slug"]], start_date=FIRST)


def build(world: World) -> None:
    """Land the week, build it, give its numbers; then land what came late and build the days that it touches."""
    add_orgs(world)
    land(world)
    for slug in (JOINED, UNIFIED):
        assert world.materialize(str(BUILT.first), str(BUILT.last), org=slug)
        # What moves from here on is listed: there is a report of yesterday.
        shelve_report(world.lake.root, slug, "", datetime.now(UTC) - timedelta(days=1))
    land_late(world)
    for slug in (JOINED, UNIFIED):
        assert world.materialize(str(FIRST), str(FIRST + timedelta(days=1)), org=slug)
        assert make_report(world.orgs[slug])


def land(world: World) -> None:
    """Land the week."""
    lines: dict[date, list[str]] = defaultdict(list)
    journeys: dict[date, list[str]] = defaultdict(list)
    drops: dict[date, list[tuple[Any, ...]]] = defaultdict(list)
    calls: dict[date, list[str]] = defaultdict(list)
    for at, name, email, user_id, fields in _engagement():
        lines[at.date()].append(_esp(name, at, email, user_id, **fields))
        if name == "emailSend" and fields["templateId"] in COPIES and int(fields["messageId"][-4:], 16) % 9:
            calls[at.date()] += _calls(fields["templateId"], fields["messageId"], at)
    for at, email in _signups():
        journeys[at.date()].append(_journey(at, email))
    for at, identity, value in _purchases():
        drops[at.date()].append((at, "purchase", identity, value))
    for day, some in lines.items():
        world.land("iterable_webhooks", JOINED, day, [*some, some[0], "{broken"])
    for day, some in journeys.items():
        world.land("journey_webhooks", JOINED, day, some)
    for day, rows in drops.items():
        world.drop("redshift", JOINED, day, _drop(rows))
    for day, some in calls.items():
        world.land("generate", JOINED, day, some)
    _land_unified(world)


def land_late(world: World) -> None:
    """Land what comes after the numbers were given: an open, a send, a purchase, a copy; and a rewritten day."""
    day = FIRST + timedelta(days=1)
    ids = {"templateId": 501, "campaignId": 9001}
    opened = _esp("emailOpen", _at(day, 20), "p1@example.com", None, messageId=_message(0, 2), **ids)
    sent = _esp("emailSend", _at(day, 9), "late@example.com", None, messageId="f" * 32, **ids)
    world.land("iterable_webhooks", JOINED, day, [opened, sent], "late")
    world.drop("redshift", JOINED, day, _drop([(_at(day, 10), "purchase", "late@example.com", 33.25)]), "late")
    world.land("generate", JOINED, FIRST, _calls(501, _message(0, 9), _at(FIRST, 8)), "late")
    (key,) = (one.key for one in world.landing.list(f"databricks/{UNIFIED}") if f"={FIRST}/" in one.key)
    rows = pl.read_parquet(world.landing.read(key))
    more = [("emailOpen", _at(FIRST, 21), "g0001", "601", "9101", None)]
    kept = rows.filter(pl.col("message_id").ne_missing("g0000"))
    world.landing.delete(key)
    world.drop("databricks", UNIFIED, FIRST, pl.concat([kept, _unified(more)]))


def _engagement() -> Iterator[tuple[datetime, str, str, str | None, dict[str, Any]]]:
    """(time, name, email, user id, fields) of the engagement of the joined org."""
    for offset, day in enumerate(SENDS):
        for number, (template, campaign) in enumerate(ARMS):
            sent = _at(day, 8) + timedelta(minutes=number)
            email, user_id = _person(offset, number)
            ids: dict[str, Any] = {"templateId": template, "campaignId": campaign}
            ids["messageId"] = _message(offset, number)
            happened: list[tuple[datetime, str, dict[str, Any]]] = [(sent, "emailSend", {})]
            if (number + offset) % 3 == 0:
                happened.append((sent + timedelta(hours=1), "emailOpen", {}))
                if number % 2 == 0:
                    happened.append((sent + timedelta(hours=2), "emailOpen", {}))
                    happened.append((sent + timedelta(hours=2, seconds=9), "emailClick", {}))
            if number % 4 == 1:
                happened.append((sent + timedelta(seconds=5), "emailOpen", {"proxySource": "APPLE"}))
            if number % 17 == 0:
                happened.append((sent + timedelta(seconds=6), "emailClick", {"isBot": True}))
            if number % 7 == 0:
                happened.append((sent + timedelta(hours=40), "emailUnSubscribe", {}))
            if number % 23 == 0:
                happened.append((sent + timedelta(seconds=1), "emailBounce", {}))
            if number % 13 == 0:
                happened += [(sent + timedelta(hours=hours), "emailOpen", {}) for hours in (72, 80)]
            # Sent again the next day, it is the same message; after five days it is another.
            if (offset, number) == (1, 3):
                happened.append((sent + timedelta(days=1), "emailSend", {}))
            if (offset, number) == (0, 5):
                happened.append((sent + timedelta(days=5), "emailSend", {}))
            for at, name, more in happened:
                yield at, name, email, user_id, {**ids, **more}


def _signups() -> Iterator[tuple[datetime, str]]:
    hours = (0.0, 10.0, 23.999, 24.0, 30.0, 60.0)
    for offset, day in enumerate(SENDS):
        for number in range(0, len(ARMS), 2):
            email, _ = _person(offset, number)
            yield _at(day, 8) + timedelta(minutes=number, hours=hours[number // 2 % 6]), email
        yield _at(day, 23), "stranger@example.com"


def _purchases() -> Iterator[tuple[datetime, str, float | None]]:
    hours, values = (1.0, 30.0, 47.999, 48.0, 60.0, 71.0, 80.0), (None, 0.0, 19.99, 5.5, 250.125)
    for offset, day in enumerate(SENDS):
        for number in range(0, len(ARMS), 3):
            email, user_id = _person(offset, number)
            at = _at(day, 8) + timedelta(minutes=number, hours=hours[number // 3 % 7])
            yield at, user_id or email, values[number % 5]
            if number % 12 == 0:
                yield at + timedelta(minutes=1), user_id or email, 10.0
        yield _at(day, 22), "u-stranger", 99.0


def _land_unified(world: World) -> None:
    rows: list[Row] = []
    for offset, day in enumerate(SENDS):
        for number in range(80):
            ids = ("601", "9101") if number < 40 else ("602", "9102")
            sent, message = _at(day, 9) + timedelta(minutes=number), f"g{offset}{number:03}"
            mine: list[tuple[str, timedelta, float | None]] = [
                ("letterSend" if number % 2 else "emailSend", timedelta(), None)
            ]
            if number % 2 == 0:
                mine += [("emailOpen", timedelta(hours=hours), None) for hours in (1, 3)]
            mine += [("emailClick", timedelta(hours=4), None)] * (number % 5 == 0)
            mine += [("emailUnsubscribe", timedelta(hours=50), None)] * (number % 8 == 0)
            mine += [("upgrade", timedelta(hours=(1, 23, 24, 40)[number // 3 % 4]), number / 4)] * (number % 3 == 0)
            mine += [("visit", timedelta(hours=(5, 71.9, 72, -1)[number // 4 % 4]), None)] * (number % 4 == 0)
            if (offset, number) == (2, 7):
                mine.append(("letterSend", timedelta(days=2), None))
            rows += [(name, sent + after, message, *ids, value) for name, after, value in mine]
        rows.append(("upgrade", _at(day, 12), None, None, None, 7.0))
        rows.append(("emailSend", _at(day, 12), None, "601", "9101", None))
        rows.append(("upgrade", _at(day, 13), "never-sent", "601", "9101", 5.0))
        served = [call for number in range(40) for call in _calls(601, f"g{offset}{number:03}", _at(day, 9))]
        world.land("generate", UNIFIED, day, served)
    frame = _unified(rows)
    for (day,), some in frame.group_by(pl.col("event_timestamp").dt.date()):
        assert isinstance(day, date)
        world.drop("databricks", UNIFIED, day, some.sort("event_timestamp", "message_id", "event_name"))


def _person(offset: int, number: int) -> tuple[str, str | None]:
    """One person gets several messages in a week, and some get two on one day; one of three has no user id."""
    person = (number * 7 + offset * 13) % 151
    return f"p{person}@example.com", f"u-{person}" if person % 3 else None


def _message(offset: int, number: int) -> str:
    return f"{offset:02x}{number:030x}"


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def _esp(name: str, at: datetime, email: str, user_id: str | None, **fields: Any) -> str:
    return esp(name, f"{at:%Y-%m-%d %H:%M:%S}", email, user_id=user_id, **fields)


def _journey(at: datetime, email: str) -> str:
    body, received = {"email": email, "workflowId": "290146"}, at.isoformat().replace("+00:00", "Z")
    identity = event_id("journey_webhooks", body, received)
    return json.dumps({"id": identity, "received_at": received, "query": {}, "body": body})


def _calls(template: int, message: str, at: datetime) -> Iterator[str]:
    """What Generate was called for: of a message that was rendered twice, the later copy was sent."""
    copies, number = COPIES[template], int(message[-3:], 16)
    shown = [copies[number % len(copies)]]
    if number % 10 == 0:
        shown.insert(0, copies[0])
    for at_call, copy in enumerate(shown):
        called = at - timedelta(seconds=5 - at_call)
        body = {"event_timestamp": called.timestamp(), "tracking_id": message, "copy_id": copy, "template_id": "t"}
        record = {"id": event_id("generate", body, ""), "received_at": called.isoformat(), "query": {}, "body": body}
        yield json.dumps(record)


def _drop(rows: Iterable[tuple[Any, ...]]) -> pl.DataFrame:
    types = {
        "event_timestamp": pl.Datetime("us", "UTC"), "event_name": pl.String, "user_id_or_email": pl.String,
        "value": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(list(rows), schema=types, orient="row")


def _unified(rows: Iterable[Row]) -> pl.DataFrame:
    types = {
        "event_name": pl.String, "event_timestamp": pl.Datetime("us", "UTC"), "message_id": pl.String,
        "template_id": pl.String, "campaign_id": pl.String, "value": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(list(rows), schema=types, orient="row")
