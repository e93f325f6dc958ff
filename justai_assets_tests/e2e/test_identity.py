"""Who an event is about, from landed files to the unified stream: what senders of other tools really sent."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from justai_assets.contract.tables import ATTRIBUTED_EVENTS, CUSTOM_EVENTS, ESP_EVENTS, FATES, QUARANTINE
from justai_assets.quality.doctor.examination import examine
from justai_assets.quality.doctor.finding import Finding
from justai_assets.quality.doctor.sample_file import examine_sample
from justai_assets_tests.world import WEBHOOK_ORG, World

DAY = "2026-01-05"
NOW = datetime(2026, 1, 6, 12, tzinfo=UTC)
SOURCES = {**WEBHOOK_ORG["sources"], "chameleon_webhooks": {"signing_secret": "env:ACME_SALT"}}


@pytest.fixture
def acme(world: World) -> World:
    world.add_org(WEBHOOK_ORG, sources=SOURCES, custom=["journey_webhooks", "chameleon_webhooks", "redshift"])
    return world


def line(body: dict[str, Any], at: str, number: int) -> str:
    envelope = {"id": f"{number:064x}", "received_at": f"{DAY}T{at}Z", "query": {}, "body": body}
    return json.dumps(envelope, ensure_ascii=False)


def person(email: Any, user_id: Any) -> dict[str, Any]:
    return {name: value for name, value in (("email", email), ("userId", user_id)) if value is not None}


def sends(*people: tuple[Any, Any, str], template: Any = 501, campaign: Any = 9001) -> list[str]:
    """Sends at 09:00:00, 09:00:01, …: email, user id, message id."""
    found = []
    for number, (email, user_id, message) in enumerate(people):
        at = f"09:{number // 60:02d}:{number % 60:02d}"
        fields = {"createdAt": f"{DAY} {at} +00:00", "messageId": message, "templateId": template}
        body = {"eventName": "emailSend", **person(email, user_id), "dataFields": {**fields, "campaignId": campaign}}
        found.append(line(body, at, number))
    return found


def purchases(*people: tuple[Any, Any], workflow: Any = "290146") -> list[str]:
    """Purchases at 10:00:00, 10:00:01, …: email, user id."""
    return [
        line({"workflowId": workflow, **person(*one)}, f"10:{number // 60:02d}:{number % 60:02d}", 1000 + number)
        for number, one in enumerate(people)
    ]


def drop(world: World, *identities: Any) -> None:
    """Purchases of a warehouse at 11:00:00, 11:00:01, …"""
    at = [datetime(2026, 1, 5, 11, tzinfo=UTC) + timedelta(seconds=number) for number in range(len(identities))]
    world.drop("redshift", "acme", DAY, pl.DataFrame(
        {"event_timestamp": at, "event_name": ["purchase"] * len(at), "user_id_or_email": identities},
        schema_overrides={"user_id_or_email": pl.String},
    ))  # fmt: skip


def found(world: World) -> list[tuple[str | None, str | None]]:
    """Message and reason of each custom event, in the order of time."""
    assert world.materialize(DAY, DAY)
    rows = world.table(ATTRIBUTED_EVENTS).sort("event_timestamp")
    return rows.select("message_id", "reason").rows()


def notes(world: World) -> dict[tuple[str, str, str, str], int]:
    rows = world.table(FATES).filter(pl.col("fate").str.contains("placeholder|shared"))
    return {(asset, door, fate, reason): records for _, asset, door, fate, reason, records in rows.iter_rows()}


def doctor(world: World, check: str) -> list[Finding]:
    return [one for one in examine(world.landing, world.lake, world.orgs["acme"], NOW) if one.check == check]


PLACEHOLDERS = ["undefined", "null", "NULL ", "0", 0, 0.0, "none", "n/a", "N/A", "-", "0000000", "{{user.id}}", "\\N",
                "00000000-0000-0000-0000-000000000000", "(not set)", "noemail@acme.test", "nobody@example.com", False,
                "\u200b0", "distinct_id", "not_authenticated", "null_null", "-1.0", "Infinity"]  # fmt: skip


@pytest.mark.parametrize("placeholder", ["undefined", 0, "noemail@acme.test"])
def test_a_placeholder_links_nobody_and_the_day_and_the_doctor_say_so(acme: World, placeholder: Any) -> None:
    ann, bob, cat = "ann@ex.test", "bob@ex.test", "cat@ex.test"
    lines = sends((ann, placeholder, "m-ann"), (bob, placeholder, "m-bob"), (cat, placeholder, "m-cat"))
    acme.land("iterable_webhooks", "acme", DAY, lines)
    bought = purchases((ann, None), (bob, None), ("dan@ex.test", placeholder), (None, placeholder))
    acme.land("journey_webhooks", "acme", DAY, bought)
    drop(acme, str(placeholder), cat)
    assert found(acme) == [
        ("m-ann", None), ("m-bob", None), (None, "no_send"), (None, "no_identity"), (None, "no_identity"),
        ("m-cat", None),
    ]  # fmt: skip
    assert notes(acme) == {
        ("esp_events", "iterable_webhooks", "placeholder_id", "user id"): 3,
        ("esp_events", "iterable_webhooks", "placeholder_people", "user id"): 3,
        ("custom_events", "journey_webhooks", "placeholder_id", "user id"): 2,
        ("custom_events", "journey_webhooks", "placeholder_people", "user id"): 1,
        ("custom_events", "redshift", "placeholder_id", "user_id_or_email"): 1,
        ("custom_events", "redshift", "placeholder_people", "user_id_or_email"): 0,
    }
    said = {one.door: one.message for one in doctor(acme, "placeholders")}
    assert "3 events have a placeholder (null, undefined, 0, …) as user id" in said["iterable_webhooks"]
    assert "3 people" in said["iterable_webhooks"]
    assert said.keys() == {"iterable_webhooks", "journey_webhooks", "redshift"}


def test_every_placeholder_is_nobody_in_every_source_and_every_field(acme: World) -> None:
    both = [one for value in PLACEHOLDERS for one in ((value, None), (None, value))]
    acme.land("iterable_webhooks", "acme", DAY, sends(*((*one, f"m-{n}") for n, one in enumerate(both))))
    acme.land("journey_webhooks", "acme", DAY, purchases(*both))
    hooks = [
        line(
            {"id": f"c{n}", "kind": "tour.completed", "sent_at": f"{DAY}T10:30:00Z",
             "data": {"profile": {"email": email, "uid": user}}}, "10:30:00", 2000 + n,
        )
        for n, (email, user) in enumerate(both)
    ]  # fmt: skip
    acme.land("chameleon_webhooks", "acme", DAY, hooks)
    drop(acme, *(str(value) for value in PLACEHOLDERS))
    assert set(found(acme)) == {(None, "no_identity")}
    for table in (ESP_EVENTS, CUSTOM_EVENTS):
        keys = acme.table(table).select("email_key", "user_key")
        assert keys.null_count().row(0) == (keys.height, keys.height)
    assert acme.table(CUSTOM_EVENTS).height == 2 * len(both) + len(PLACEHOLDERS)


def test_what_only_looks_like_a_placeholder_is_somebody(acme: World) -> None:
    people = ["1", "00126", "-10", "nanna", "nullius", "no", "test", "na-7", "a0", "u", "nobody@gmail.com",
              "anonymous@acme.io", "test@example.com", "unknown.soldier@example.com", "noemailplease@acme.io"]  # fmt: skip
    acme.land("iterable_webhooks", "acme", DAY, sends(*((None, one, f"m-{n}") for n, one in enumerate(people))))
    acme.land("journey_webhooks", "acme", DAY, purchases(*((None, one) for one in people)))
    assert [reason for _, reason in found(acme)] == [None] * len(people)
    assert notes(acme) == {}


def test_an_id_of_implausibly_many_names_nobody_and_the_day_and_the_doctor_say_so(acme: World) -> None:
    many = [(f"p{n}@ex.test", "kiosk-7", f"m-{n}") for n in range(11)]
    few = [(f"q{n}@ex.test", "family-1", f"n-{n}") for n in range(10)]
    acme.land("iterable_webhooks", "acme", DAY, sends(*many, *few))
    bought = purchases(("p3@ex.test", None), ("dan@ex.test", "kiosk-7"), (None, "kiosk-7"), (None, "family-1"))
    acme.land("journey_webhooks", "acme", DAY, bought)
    assert found(acme) == [("m-3", None), (None, "no_send"), (None, "no_identity"), ("n-9", None)]
    assert notes(acme) == {
        ("attributed_events", "custom_events", "shared_id", "user id"): 2,
        ("attributed_events", "custom_events", "shared_people", "user id"): 11,
    }
    (said,) = doctor(acme, "shared ids")
    assert (said.door, said.level) == ("iterable_webhooks", "warning")
    assert "1 ids (user id) are shared by 11 people, in 11 events" in said.message


FORMS = [
    ("jos\u00e9@ex.test", unicodedata.normalize("NFD", "jos\u00e9@ex.test")),
    ("Ann.Case@EX.test", "ann.case@ex.TEST"),
    ("\u00a0lea@ex.test ", "lea@ex.test"),
    ("\u200bmia@ex.test", "mia@ex.test"),
    ("mi\u200da.b@ex.test", "mia.b@ex.test"),
    ("\ufeffned@ex.test", "ned@ex.test"),
    ("o@b\u00fccher.test", "o@xn--bcher-kva.test"),
    ("p@B\u00dcCHER.test", "p@XN--BCHER-KVA.test"),
    ("p@bu\u0308cher\u3002test", "p@xn--bcher-kva.test"),
    ("mailto:pam@ex.test", "pam@ex.test"),
    ("MAILTO:pat%2Bnews@ex.test?subject=hi", "pat+news@ex.test"),
    ("Quin R <quin@ex.test>", "quin@ex.test"),
    ('"R, Rob @ home" <Rob.R@ex.test> ', "rob.r@ex.test"),
    ("<mailto:sue@ex.test>", "sue@ex.test"),
]


@pytest.mark.parametrize("turned", [False, True])
def test_the_forms_of_one_address_are_one_person_in_every_source(acme: World, turned: bool) -> None:
    forms = [(theirs, ours) if turned else (ours, theirs) for ours, theirs in FORMS]
    acme.land("iterable_webhooks", "acme", DAY, sends(*((sent, None, f"m-{n}") for n, (sent, _) in enumerate(forms))))
    acme.land("journey_webhooks", "acme", DAY, purchases(*((bought, None) for _, bought in forms)))
    drop(acme, *(bought for _, bought in forms))
    messages = [(f"m-{n}", None) for n in range(len(forms))]
    # Two of the forms are of one address: its purchases go to its later send.
    messages[7] = messages[8]
    assert found(acme) == messages * 2


def test_other_addresses_stay_other_people(acme: World) -> None:
    pairs = [("kim+news@ex.test", "kim@ex.test"), ("k.im@ex.test", "kim@ex.test"), ("stra\u00dfe@ex.test", "STRASSE@ex.test"),
             ("o@b\u00fccher.test", "o@bucher.test"), ("o@xn--.test", "o@.test"), ("00126", "126"), ("AbC", "abc")]  # fmt: skip
    acme.land("iterable_webhooks", "acme", DAY, sends(*((None, one, f"m-{n}") for n, (one, _) in enumerate(pairs))))
    acme.land("journey_webhooks", "acme", DAY, purchases(*((None, other) for _, other in pairs)))
    assert {reason for _, reason in found(acme)} == {"no_send"}


def test_a_user_id_that_is_an_address_meets_that_address_wherever_it_stands(acme: World) -> None:
    sent = [(None, "rob@ex.test", "m-rob"), ("new@ex.test", "Old@ex.test", "m-old"), ("sid@ex.test", None, "m-sid")]
    acme.land("iterable_webhooks", "acme", DAY, sends(*sent))
    acme.land(
        "journey_webhooks", "acme", DAY, purchases(("rob@ex.test", None), (None, "Sid@ex.test"), (None, "old@ex.test"))
    )
    drop(acme, "Rob@ex.test", "old@ex.test", "<sid@ex.test>")
    assert [message for message, _ in found(acme)] == ["m-rob", "m-sid", "m-old", "m-rob", "m-old", "m-sid"]


def test_the_pseudonyms_of_plain_ids_stay_as_they_were(acme: World) -> None:
    acme.land("iterable_webhooks", "acme", DAY, sends((" Jane@Example.com", " U-7 ", "m")))
    assert acme.materialize(DAY, DAY)
    row = acme.table(ESP_EVENTS).row(0, named=True)
    # HMAC-SHA256 under the tests' salt, of `email:jane@example.com` and `user:U-7`, cut to 32 digits.
    assert row["email_key"] == "6ea289592db0dfc43e386e2808b24092"
    assert row["user_key"] == "76e78aeec1d241afc9447d3b369e7698"


def test_whole_numbers_are_whole_ids_in_every_source(acme: World) -> None:
    ids = [(501, 9001), (501.0, 9001.0), ("501 ", " 9001")]
    lines = [
        sends((f"p{n}@ex.test", user, f"m-{n}"), template=template, campaign=campaign)[0].replace(f"{0:064x}", f"{n:064x}")
        for n, ((template, campaign), user) in enumerate(zip(ids, (124.0, 124, "124"), strict=True))
    ]  # fmt: skip
    lines.append(lines[0].replace(f"{0:064x}", f"{9:064x}").replace(": 501,", ": 5.01e2,").replace("p0@", "p9@"))
    acme.land("iterable_webhooks", "acme", DAY, lines)
    workflows = [290146.0, 290146, " 290146"]
    bought = [
        purchases((None, 124), workflow=one)[0].replace(f"{1000:064x}", f"{n:064x}") for n, one in enumerate(workflows)
    ]
    bought.append(bought[0].replace("290146.0", "2.90146E+5").replace(f"{0:064x}", f"{9:064x}"))
    acme.land("journey_webhooks", "acme", DAY, bought)
    tour = {"id": "c1", "kind": "tour.completed", "sent_at": f"{DAY}T10:30:00Z",
            "data": {"tour": {"id": 77.0}, "profile": {"uid": 124.0, "copy_id_77": 12.0}}}  # fmt: skip
    acme.land("chameleon_webhooks", "acme", DAY, [line(tour, "10:30:00", 1)])
    at = datetime(2026, 1, 5, 11, tzinfo=UTC)
    frame = pl.DataFrame(
        {"event_timestamp": [at, at], "event_name": ["purchase"] * 2, "user_id_or_email": [124.0, None]}
    )
    acme.drop("redshift", "acme", DAY, frame)
    assert acme.materialize(DAY, DAY)
    engagement, custom = acme.table(ESP_EVENTS), acme.table(CUSTOM_EVENTS)
    assert set(engagement["template_id"]) == {"501"}
    assert set(engagement["campaign_id"]) == {"9001"}
    assert engagement["user_key"].n_unique() == 1
    named = custom.filter(pl.col("user_key").is_not_null())
    assert set(named["user_key"]) == set(engagement["user_key"])
    assert named.group_by("door").len().sort("door").rows() == [
        ("chameleon_webhooks", 1), ("journey_webhooks", 4), ("redshift", 1),
    ]  # fmt: skip
    (hook,) = custom.filter(pl.col("door") == "chameleon_webhooks").select("template_id", "copy_id").rows()
    assert hook == ("77", "12")
    assert acme.table(QUARANTINE).is_empty()


def test_a_byte_order_mark_before_a_file_costs_no_record(acme: World) -> None:
    lines = sends(("a@ex.test", None, "m-7"), ("a@ex.test", None, "m-8"))
    text = "".join(f"{one}\n" for one in lines)
    for name, content in (("bom", "\ufeff" + text), ("empty", "\ufeff"), ("blank", "\ufeff\n")):
        acme.landing.write(f"webhooks/iterable/acme/event_date={DAY}/{name}.jsonl", content.encode())
    assert acme.materialize(DAY, DAY)
    assert sorted(acme.table(ESP_EVENTS)["message_id"]) == ["m-7", "m-8"]
    received = acme.table(FATES).filter(pl.col("fate") == "received", pl.col("asset") == "esp_events")
    assert received["records"].sum() == 2


PING = {"id": "5fb70dcbc39330000325a001", "kind": "ping", "sent_at": f"{DAY}T00:28:59.001Z",
        "data": {"account": {"id": "58918bc07de121000432e9c0", "domain": "acme.test", "name": "Acme"}}}  # fmt: skip


def test_a_ping_is_counted_as_a_connection_test_and_is_nobodys_fault(acme: World) -> None:
    acme.land("chameleon_webhooks", "acme", DAY, [line(PING, "00:29:00", 1)])
    assert acme.materialize(DAY, DAY), "no check fails"
    fates = acme.table(FATES).filter(pl.col("door") == "chameleon_webhooks", pl.col("records") > 0)
    assert fates.select("fate", "reason", "records").rows() == [
        ("quarantined", "connection_test", 1), ("received", None, 1),
    ]  # fmt: skip
    (contract,) = [one for one in doctor(acme, "contract") if one.door == "chameleon_webhooks"]
    assert contract.level == "ok"
    assert "1 of them connection tests (pings)" in contract.message


@pytest.mark.parametrize("before", ["", "\ufeff"])
def test_a_ping_as_a_sample_is_well(acme: World, before: str) -> None:
    sample = acme.folder / "ping.jsonl"
    sample.write_text(before + json.dumps(PING) + "\n", encoding="utf-8")
    findings = examine_sample(acme.orgs["acme"], sample, NOW)
    assert [(one.check, one.level) for one in findings] == [("contract", "ok")]
    assert "connection test" in findings[0].message
    assert date.fromisoformat(DAY).isoformat() in findings[0].message
