"""Nothing that identifies a person leaves the landing zone: planted in every field, looked for in every byte."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from justai_assets.contract.tables import FATES, QUARANTINE
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, envelope, journey

EMAIL = "jane.roe@private-mail.example"
PHONE = "+12025550143"
IP = "203.0.113.77"
USER_ID = "customer-4711-roe"
EMAIL_ID = f"c1:t2:{EMAIL}"
PLANTED = [EMAIL, PHONE, PHONE.removeprefix("+"), IP, USER_ID, EMAIL_ID]

FIELDS = [
    "createdAt", "messageId", "templateId", "campaignId", "email", "userId", "proxySource", "isBot", "ip", "city",
    "phoneNumber", "toPhoneNumber", "emailId", "emailSubject", "transactionalData", "workflowId", "contentId",
]  # fmt: skip


def planted_bodies() -> list[dict[str, object]]:
    """One event per field and planted value, each otherwise sound."""
    bodies: list[dict[str, object]] = []
    for value in (EMAIL, PHONE, IP, USER_ID, EMAIL_ID, {"email": EMAIL}, [EMAIL]):
        for name in FIELDS:
            fields = {"createdAt": "2026-01-05 10:00:00 +00:00", "messageId": f"{len(bodies):032x}", "ip": IP}
            fields |= {"toPhoneNumber": PHONE, "emailId": EMAIL_ID, name: value}
            bodies.append({"email": EMAIL, "userId": USER_ID, "eventName": "emailSend", "dataFields": fields})
        sound = {"createdAt": "2026-01-05 10:00:00 +00:00", "messageId": f"{len(bodies):032x}"}
        bodies.append({"email": EMAIL, "userId": USER_ID, "eventName": value, "dataFields": sound})
    return bodies


def lake_bytes(world: World) -> list[tuple[Path, bytes]]:
    """Every file of the lake: Parquet decoded column by column as well as raw, since pages are compressed."""
    found = []
    for path in sorted((world.folder / "lake").rglob("*")):
        if path.is_file():
            found.append((path, path.read_bytes()))
            if path.suffix == ".parquet":
                frame = pl.read_parquet(path, hive_partitioning=False)
                found.append((path, json.dumps(frame.to_dicts(), default=str).encode()))
    return found


def found_in(world: World) -> list[tuple[str, str]]:
    """Planted values and the files of the lake that hold them."""
    return [(value, str(path)) for path, content in lake_bytes(world) for value in PLANTED if value.encode() in content]


def test_no_planted_value_is_found_in_any_byte_of_the_lake(world: World, capfd) -> None:
    world.add_org(WEBHOOK_ORG)
    lines = [envelope(body) for body in planted_bodies()]
    lines += [
        json.dumps({"id": value, "received_at": "2026-01-05T10:00:00Z", "query": {"campaignId": value}, "body": {
            "email": EMAIL, "userId": USER_ID, "eventName": "emailOpen",
            "dataFields": {"createdAt": "2026-01-05 11:00:00 +00:00", "toPhoneNumber": PHONE}}})
        for value in PLANTED
    ]  # fmt: skip
    lines += [f'{{"email": "{EMAIL}", broken', json.dumps({"id": EMAIL, "body": USER_ID}), EMAIL]
    world.land("iterable_webhooks", "acme", "2026-01-05", lines, name=f"of-{EMAIL}")
    world.land("journey_webhooks", "acme", "2026-01-05", [journey("2026-01-05 11:00:00", EMAIL)])
    world.land("journey_webhooks", "acme", "2026-01-05", [journey("2026-01-05 11:00:00", EMAIL, EMAIL)], "bad")
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    rows = [(at, name, USER_ID) for name in ("purchase", *PLANTED)] + [(at, "purchase", EMAIL)]
    names = ["event_timestamp", "event_name", "user_id_or_email"]
    drop = pl.DataFrame(rows, schema=names, orient="row").with_columns(note=pl.lit(EMAIL))
    world.drop("redshift", "acme", "2026-01-05", drop, name=f"export-{EMAIL}")
    world.drop("redshift", "acme", "2026-01-05", drop, name=f"{EMAIL}/{PHONE}/0000_part_00")
    world.land("iterable_webhooks", "acme", "2026-01-05", ["{broken"], name=f"{EMAIL}/0000")

    assert world.materialize("2026-01-05", "2026-01-05")

    assert len(lake_bytes(world)) > 10
    assert found_in(world) == []
    said = capfd.readouterr()
    for value in PLANTED:
        assert value not in said.out + said.err
    received = world.table(FATES).filter(asset="esp_events", fate="received")["records"].sum()
    assert received == len(lines) + 1
    reasons = set(world.table(QUARANTINE)["reason"])
    assert {"personal_data_in_identifier", "not_json", "bad_envelope", "bad_timestamp"} <= reasons


def test_no_planted_value_comes_through_the_chameleon_door(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_CHAMELEON", "a-signing-secret")
    chameleon = {**WEBHOOK_ORG["sources"], "chameleon_webhooks": {"signing_secret": "env:ACME_CHAMELEON"}}
    world.add_org(WEBHOOK_ORG, custom=["chameleon_webhooks"], sources=chameleon)
    lines = []
    for value in (*PLANTED, USER_ID.upper(), {"email": EMAIL}, [EMAIL]):
        for field in ("id", "kind", "sent_at", "uid", "email", "tour", "copy", "url"):
            if value == PHONE.removeprefix("+") and field in {"id", "tour", "copy"}:
                continue  # bare digits are an id by their form, and no field of the door says whose phone they are
            profile = {"uid": USER_ID, "email": EMAIL, "name": EMAIL, "phone": PHONE, "browser_ip": IP}
            profile |= {field: value} if field in profile else {}
            data = {"profile": profile, "tour": {"id": value if field == "tour" else "t1", "name": EMAIL}}
            data |= {"action": {"url": value}} if field == "url" else {}
            data |= {"copy_id_t1": value} if field == "copy" else {}
            body = {"id": f"{len(lines):024x}", "kind": "tour:completed", "sent_at": "2026-01-05T10:00:00Z"}
            body |= {field: value} if field in body else {}
            lines.append(envelope({**body, "data": data}))
    world.land("chameleon_webhooks", "acme", "2026-01-05", lines, name=f"{EMAIL}/0000")
    assert world.materialize("2026-01-05", "2026-01-05", "custom_events", "attributed_events", "unified_events")
    assert found_in(world) == []
    fates = world.table(FATES).filter(asset="custom_events")
    assert fates.filter(fate="received")["records"].sum() == len(lines)
    assert fates.filter(fate="accepted")["records"].sum() > 0
    assert fates.filter(reason="personal_data_in_identifier")["records"].sum() > 0


def test_no_planted_value_comes_through_a_unified_drop(world: World) -> None:
    world.add_org(UNIFIED_ORG)
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    names = ("event_timestamp", "event_name", "message_id", "template_id", "campaign_id")
    sound = (at, "emailSend", "m1", "601", "9101")
    # A unified row has no user to compare with: what a form betrays is refused, a bare user id cannot be told.
    betrayed = [EMAIL, PHONE, IP, EMAIL_ID]
    rows = [sound, *((*sound[:i], value, *sound[i + 1 :]) for value in betrayed for i in range(1, 5))]
    drop = pl.DataFrame(rows, schema=list(names), orient="row").with_columns(user_id=pl.lit(USER_ID), to=pl.lit(PHONE))
    world.drop("databricks", "globex", "2026-01-05", drop, name=f"{EMAIL}/part-{PHONE}")
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    assert found_in(world) == []
    fates = world.table(FATES, "globex")
    assert fates.filter(reason="personal_data_in_identifier")["records"].sum() == len(rows) - 1


def test_the_salt_is_in_no_file_of_the_lake(world: World) -> None:
    from justai_assets_tests.world import SALT

    world.add_org(WEBHOOK_ORG)
    world.land("journey_webhooks", "acme", "2026-01-05", [journey("2026-01-05 11:00:00", EMAIL)])
    assert world.materialize("2026-01-05", "2026-01-05")
    assert not [path for path, content in lake_bytes(world) if SALT.encode() in content]
