"""20,000 mixed requests: HTTP answers, metrics, landing zone and unified stream tell the same story, one by one."""

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.http_load import post, run_load
from justai_assets.contract.days import Days
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    CUSTOM_EVENTS,
    ESP_EVENTS,
    QUARANTINE,
    UNIFIED_EVENTS,
    Table,
)
from justai_assets.dag.headless import materialize_days
from justai_assets.lake.ledger import read_fates, total
from justai_assets.landing.event_id import event_id
from justai_assets.orgs.org_loader import load_org
from justai_assets.sources.intake_build import build_from_doors
from justai_assets.sources.lineage import landed_by_table
from justai_assets_tests.conftest import make_world
from justai_assets_tests.serving.nursery import running
from justai_assets_tests.serving.service import JOURNEY_KEY, KEY, iterable_body, landed, settings, sign, write_orgs
from justai_assets_tests.world import World

REQUESTS = 20_000
UNDATED = "event_date=__HIVE_DEFAULT_PARTITION__"
KINDS = {
    "iterable": 55,
    "iterable_again": 10,
    "iterable_undated": 3,
    "journey": 8,
    "chameleon": 6,
    "chameleon_again": 3,
    "not_json": 5,
    "repeated_key": 2,
    "wrong_key": 5,
    "wrong_signature": 1,
    "no_such_org": 2,
}
STATUS = {"not_json": 400, "repeated_key": 400, "wrong_key": 401, "wrong_signature": 401, "no_such_org": 401}


@dataclass
class Day:
    """The requests of a day, and what must become of them."""

    requests: list[bytes] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    landed: Counter[tuple[str, str]] = field(default_factory=Counter)
    "(prefix with event_date folder, id) → how often; the id of what has none beforehand is its kind."


def plan() -> Day:
    chance = random.Random(5)
    day = Day()
    iterable: list[bytes] = []
    chameleon: list[bytes] = []
    today = datetime.now(UTC).date().isoformat()
    for number in range(REQUESTS):
        kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
        if kind.endswith("_again") and not (iterable and chameleon):
            kind = "iterable"
        path, headers = "/api/webhook/itbl/acme?campaignId=7", {"X-Api-Key": KEY}
        event = iterable_body(number, createdAt=f"2026-01-{1 + number % 5:02d} 00:00:{number % 60:02d} +00:00")
        # A third are sends, so that the tours of the third day have one to be attributed to.
        body = json.dumps(event | {"eventName": "emailSend" if number % 3 == 0 else "emailOpen"}).encode()
        if kind == "iterable":
            iterable.append(body)
        elif kind == "iterable_again":
            body = chance.choice(iterable)
        elif kind == "iterable_undated":
            body = json.dumps(iterable_body(number, createdAt="")).encode()
        elif kind == "journey":
            path, headers = "/api/webhook/events/acme", {"X-Api-Key": JOURNEY_KEY}
            body = b'{"email":"user1@example.com","workflowId":"290146"}'
        elif kind.startswith("chameleon") or kind == "wrong_signature":
            tour = {"profile": {"email": "user1@example.com"}, "tour": {"id": "t1"}}
            body = json.dumps(
                {"id": f"c{number}", "sent_at": "2026-01-03T00:00:00Z", "kind": "tour.completed", "data": tour}
            ).encode()
            if kind == "chameleon":
                chameleon.append(body)
            elif kind == "chameleon_again":
                body = chance.choice(chameleon)
            path = "/api/webhook/chameleon/acme"
            headers = {"X-Chameleon-Signature": sign(body, "wrong") if kind == "wrong_signature" else sign(body)}
        elif kind == "not_json":
            body = body[:-1]
        elif kind == "repeated_key":
            body = b'{"a":1,"a":2}'
        elif kind == "wrong_key":
            headers = {"X-Api-Key": "wrong"}
        else:
            path = "/api/webhook/itbl/no-such-org"
        day.requests.append(post(path, headers, body))
        day.kinds.append(kind)
        if kind in {"not_json", "repeated_key"}:
            day.landed[f"webhooks/iterable/acme/{UNDATED}", kind] += 1
        elif kind == "journey":
            day.landed[f"webhooks/events/acme/event_date={today}", kind] += 1
        elif kind not in STATUS:
            door = "chameleon" if kind.startswith("chameleon") else "iterable"
            event = json.loads(body)
            created = event["sent_at"][:10] if door == "chameleon" else event["dataFields"]["createdAt"][:10]
            folder = f"event_date={created}" if created else UNDATED
            day.landed[f"webhooks/{door}/acme/{folder}", event_id(f"{door}_webhooks", event, "")] += 1
    return day


@pytest.mark.slow
def test_twenty_thousand_mixed_requests_reconcile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = plan()
    world = make_world(tmp_path, str(tmp_path / "landing"), str(tmp_path / "lake"), monkeypatch)
    statuses: dict[int, int] = {}
    write_orgs(tmp_path)
    with running(settings(tmp_path), workers=2) as service:
        run_load(
            ("127.0.0.1", service.port),
            lambda number: day.requests[number],
            connections=64,
            seconds=120,
            limit=REQUESTS,
            on_answer=lambda number, status, _: statuses.__setitem__(number, status),
        )
        service.wait_landed()
        metrics = service.metrics()
    counts = Counter(day.kinds)
    assert len(statuses) == REQUESTS
    assert all(statuses[number] == STATUS.get(kind, 202) for number, kind in enumerate(day.kinds))

    def fate(door: str, name: str, org: str = "acme") -> int:
        return metrics.get(f'requests_total{{org="{org}",door="{door}_webhooks",fate="{name}"}}', 0)

    assert fate("iterable", "accepted") == counts["iterable"] + counts["iterable_again"]
    assert fate("iterable", "undated") == counts["iterable_undated"]
    assert fate("iterable", "rejected") == counts["not_json"] + counts["repeated_key"]
    assert fate("iterable", "unauthorized") == counts["wrong_key"]
    assert fate("iterable", "unauthorized", org="") == counts["no_such_org"]
    assert fate("journey", "accepted") == counts["journey"]
    assert fate("chameleon", "accepted") == counts["chameleon"] + counts["chameleon_again"]
    assert fate("chameleon", "unauthorized") == counts["wrong_signature"]
    kept = REQUESTS - sum(counts[kind] for kind in ("wrong_key", "wrong_signature", "no_such_org"))
    assert metrics["journal_records_total"] == metrics["landed_lines_total"] == kept

    found: Counter[tuple[str, str]] = Counter()
    for envelope in landed(tmp_path / "landing"):
        prefix = envelope["key"].rpartition("/")[0]
        rejected = {"not_json": "not_json", "duplicate_key": "repeated_key"}.get(envelope["body"].get("rejected"))
        found[prefix, "journey" if "/events/" in prefix else rejected or envelope["id"]] += 1
    assert found == day.landed
    journeys = [envelope["id"] for envelope in landed(tmp_path / "landing", "webhooks/events/acme")]
    assert len(set(journeys)) == counts["journey"], "each receipt is an event"
    reconcile_lake(world, day, counts)


def reconcile_lake(world: World, day: Day, counts: Counter[str]) -> None:
    """What was landed is in the lake: each event once, each refusal with its reason, and the sums hold."""
    org = load_org(world.folder / "orgs" / "acme.yaml")
    today = datetime.now(UTC).date()
    sent = Days(date(2026, 1, 1), date(2026, 1, 5))
    assert materialize_days(org, sent, today=today)
    # A run over midnight files journeys under two days.
    received = Days(today - timedelta(days=1), today)
    assert materialize_days(org, received, today=today)
    for table, doors in landed_by_table(org).items():
        build_from_doors(org, world.landing, world.lake, table, doors, None, note={})

    def distinct(door: str) -> int:
        return sum(1 for prefix, _ in day.landed if f"/{door}/" in prefix and UNDATED not in prefix)

    def fates(asset: Table, name: str) -> int:
        found = [read_fates(world.lake, "acme", days, asset.name) for days in (sent, received)]
        return sum(total(one, name) for one in found)

    for asset, kinds, events in (
        (ESP_EVENTS, ("iterable", "iterable_again"), distinct("iterable")),
        (
            CUSTOM_EVENTS,
            ("chameleon", "chameleon_again", "journey"),
            distinct("chameleon") + counts["journey"],
        ),
    ):
        posted = sum(counts[kind] for kind in kinds)
        assert fates(asset, "received") == posted
        assert fates(asset, "accepted") == world.table(asset).height == events
        assert fates(asset, "duplicate") == posted - events
        assert fates(asset, "quarantined") == 0
    refused = world.table(QUARANTINE)
    assert Counter(refused["reason"]) == {
        "undated": counts["iterable_undated"],
        "not_json": counts["not_json"],
        "duplicate_key": counts["repeated_key"],
    }
    assert refused["event_date"].null_count() == refused.height
    # Every tour has a send before it; no Journey does: the sends are months old.
    assert fates(ATTRIBUTED_EVENTS, "attributed") == distinct("chameleon")
    assert fates(ATTRIBUTED_EVENTS, "unattributed") == counts["journey"]
    names = Counter(world.table(UNIFIED_EVENTS)["event_name"])
    assert names["tour.completed"] == distinct("chameleon")
    assert names["emailSend"] + names["emailOpen"] == distinct("iterable")
    assert sum(names.values()) == distinct("iterable") + distinct("chameleon")
