"""Nothing that identifies a person leaves the landing zone: planted in every field, looked for in every byte."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from justai_assets.contract.tables import FATES, QUARANTINE
from justai_assets_tests.world import WEBHOOK_ORG, World, envelope, journey

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

    assert world.materialize("2026-01-05", "2026-01-05")

    files = lake_bytes(world)
    assert len(files) > 10
    for path, content in files:
        for value in PLANTED:
            assert value.encode() not in content, f"{value} in {path}"
    said = capfd.readouterr()
    for value in PLANTED:
        assert value not in said.out + said.err
    received = world.table(FATES).filter(asset="esp_events", fate="received")["records"].sum()
    assert received == len(lines)
    reasons = set(world.table(QUARANTINE)["reason"])
    assert {"personal_data_in_identifier", "not_json", "bad_envelope", "bad_timestamp"} <= reasons


def test_the_salt_is_in_no_file_of_the_lake(world: World) -> None:
    from justai_assets_tests.world import SALT

    world.add_org(WEBHOOK_ORG)
    world.land("journey_webhooks", "acme", "2026-01-05", [journey("2026-01-05 11:00:00", EMAIL)])
    assert world.materialize("2026-01-05", "2026-01-05")
    assert not [path for path, content in lake_bytes(world) if SALT.encode() in content]
