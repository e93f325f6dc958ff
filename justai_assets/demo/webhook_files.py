"""The demo's webhook landings: envelopes by event_date, with late files, redeliveries and broken lines."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import zstandard

from justai_assets.demo.happenings import Happening
from justai_assets.demo.sample_orgs import PURCHASE_WORKFLOW
from justai_assets.landing.event_id import event_id
from justai_assets.landing.landing_paths import day_prefix
from justai_assets.sources.generate.spec import GENERATE
from justai_assets.sources.iterable.spec import ITERABLE
from justai_assets.sources.journey.spec import JOURNEY
from justai_assets.storage import Root

FILES_A_DAY = 4


def land_iterable(landing: Root, slug: str, events: Iterable[Happening], luck: random.Random) -> None:
    """Land engagement events as Iterable posts them."""
    by_day: dict[date, list[tuple[datetime, str]]] = defaultdict(list)
    for event in events:
        assert event.arm is not None
        at = event.at.replace(microsecond=0)
        fields: dict[str, Any] = {
            "email": event.person.email,
            "createdAt": at.strftime("%Y-%m-%d %H:%M:%S +00:00"),
            "campaignId": int(event.arm.campaign_id),
            "templateId": int(event.arm.template_id),
            "messageId": event.message_id,
            "emailId": f"c{event.arm.campaign_id}:t{event.arm.template_id}:{event.person.email}",
        }
        if event.name != "emailSend":
            fields |= {"ip": f"192.0.2.{event.person.number % 250}", "userAgent": "Mozilla/5.0"}
        if event.is_machine:
            fields["proxySource"] = "Apple"
        body: dict[str, Any] = {"email": event.person.email, "eventName": event.name, "dataFields": fields}
        if event.person.user_id:
            body["userId"] = event.person.user_id
        # One in fifty is delivered a day or two late: into the folder of its own day all the same.
        late = timedelta(hours=luck.uniform(24, 48)) if luck.random() < 0.02 else timedelta(seconds=luck.uniform(0, 5))
        received = event.at + late
        line = _envelope(event_id(ITERABLE.name, body, ""), received, body, {"campaignId": event.arm.campaign_id})
        by_day[at.date()] += [(received, line)] * (2 if luck.random() < 0.01 else 1)
    for day, lines in by_day.items():
        broken = _broken_iterable(day, lines[0][1])
        _land(landing, day_prefix(ITERABLE.name, slug, day), lines, broken)


def land_journeys(landing: Root, slug: str, events: Iterable[Happening], luck: random.Random) -> None:
    """Land custom events as Journey webhooks post them: an email, a workflowId, and nothing else."""
    by_day: dict[date, list[tuple[datetime, str]]] = defaultdict(list)
    for event in events:
        is_known = luck.random() > 0.01
        body = {"email": event.person.email if is_known else "", "workflowId": PURCHASE_WORKFLOW}
        identity = event_id(JOURNEY.name, body, f"{event.at.isoformat()} {luck.random()}")
        by_day[event.at.date()].append((event.at, _envelope(identity, event.at, body, {})))
    for day, lines in by_day.items():
        stranger = {"email": "person1@example.com", "workflowId": "999999"}
        broken = [_envelope(f"{day}-stranger".encode().hex(), lines[0][0], stranger, {})]
        _land(landing, day_prefix(JOURNEY.name, slug, day), lines, broken)
    undated = _envelope(f"{slug}-undated".encode().hex(), datetime(2000, 1, 1), {"workflowId": PURCHASE_WORKFLOW}, {})  # noqa: DTZ001 - a broken clock is the point
    folder = day_prefix(JOURNEY.name, slug, None)
    landing.write(f"{folder}/0000.jsonl.zst", zstandard.compress(f"{undated}\n".encode()))


def land_generate(landing: Root, slug: str, sends: Iterable[Happening], copies: dict[str, tuple[str, ...]]) -> None:
    """Land what Generate served: a send record a call, a second before the send, for templates that have copies.

    `copies` are the copy ids of a template id; a message has one of them by its id. Some calls came through a feed URL
    whose `&copy_id=` had become `©_id=`, and one line a day is broken.
    """
    by_day: dict[date, list[tuple[datetime, str]]] = defaultdict(list)
    for send in sends:
        if send.name != "emailSend" or send.arm is None or send.message_id is None:
            continue
        variants = copies.get(send.arm.template_id)
        if not variants:
            continue
        number = int(send.message_id, 16)
        at = send.at - timedelta(seconds=1)
        body = {
            "event_timestamp": at.timestamp(),
            "user_id": send.person.user_id or send.person.email,
            "campaign_id": send.arm.campaign_id,
            "template_id": send.arm.template_id,
            "tracking_id": send.message_id + ("©_id=" if number % 50 == 0 else ""),
            "copy_id": variants[number % len(variants)],
            "vars": {"subject": "Hello", "cta": "Look"},
            "attrs": {"plan": "free"},
        }
        by_day[at.date()].append((at, _envelope(event_id(GENERATE.name, body, ""), at, body, {})))
    for day, lines in by_day.items():
        _land(landing, day_prefix(GENERATE.name, slug, day), lines, [lines[0][1][:40]])


def _land(landing: Root, folder: str, lines: list[tuple[datetime, str]], broken: list[str]) -> None:
    lines.sort()
    day_end = lines[0][0].replace(hour=23, minute=59, second=59)
    late = [line for received, line in lines if received > day_end]
    timely = [line for received, line in lines if received <= day_end]
    size = -(-len(timely) // FILES_A_DAY) or 1
    files = {f"{index:04d}": timely[index * size : (index + 1) * size] for index in range(FILES_A_DAY)}
    files["0000"] = files["0000"] + broken
    files["late"] = late
    for name, content in files.items():
        if content:
            landing.write(f"{folder}/{name}.jsonl.zst", zstandard.compress("\n".join(content).encode() + b"\n"))


def _broken_iterable(day: date, sound: str) -> list[str]:
    """What arrives broken on a day: cut short, nameless, timeless, and an address where an id belongs."""
    created = f"{day} 12:00:00 +00:00"
    bodies: list[dict[str, Any]] = [
        {"email": "person1@example.com", "dataFields": {"createdAt": created}},
        {"email": "person1@example.com", "eventName": "emailOpen", "dataFields": {"createdAt": "yesterday"}},
        {
            "email": "person1@example.com",
            "eventName": "emailOpen",
            "dataFields": {"createdAt": created, "messageId": "c1:t2:person1@example.com"},
        },
    ]
    received = datetime.fromisoformat(f"{day}T12:00:01+00:00")
    return [
        sound[: len(sound) // 2],
        *(_envelope(event_id(ITERABLE.name, body, ""), received, body, {}) for body in bodies),
    ]


def _envelope(identity: str, received: datetime, body: dict[str, Any], query: dict[str, str]) -> str:
    at = received.isoformat().replace("+00:00", "Z")
    return json.dumps({"id": identity, "received_at": at, "query": query, "body": body}, separators=(",", ":"))
