import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from justai_assets.landing.event_id import canonical, event_id

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def shuffled(value: object) -> object:
    """The same value with every object's keys in the opposite order."""
    if isinstance(value, dict):
        return {key: shuffled(inner) for key, inner in reversed(value.items())}
    return [shuffled(inner) for inner in value] if isinstance(value, list) else value


@given(JSON_VALUES)
def test_the_canonical_form_depends_on_the_value_alone_and_reads_back_the_same(value: object) -> None:
    form = canonical(value)
    assert canonical(shuffled(value)) == form
    assert json.loads(form) == value
    assert canonical(json.loads(json.dumps(value, indent=3))) == form


@given(JSON_VALUES)
def test_the_canonical_form_is_what_the_standard_library_writes(value: object) -> None:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(value) == text.encode()


def test_floats_keep_the_exponents_of_the_standard_library() -> None:
    assert canonical([1e16, 1e-5, 1.0, 0.1, 1e22]) == b"[1e+16,1e-05,1.0,0.1,1e+22]"


def test_keys_are_sorted_at_every_level_without_white_space_in_utf_8() -> None:
    assert canonical({"b": {"z": 1, "a": "é"}, "a": [1.5, None]}).decode() == '{"a":[1.5,null],"b":{"a":"é","z":1}}'


def test_an_iterable_event_is_its_body_whatever_the_receipt() -> None:
    body = {"eventName": "emailOpen", "dataFields": {"a": 1}}
    first, second = (event_id("iterable_webhooks", body, receipt) for receipt in ("r1", "r2"))
    assert first == second == hashlib.sha256(b'{"dataFields":{"a":1},"eventName":"emailOpen"}').hexdigest()
    assert event_id("iterable_webhooks", {**body, "x": None}, "r1") != first


def test_a_journey_event_is_its_body_and_its_receipt() -> None:
    body = {"email": "user1@example.com", "workflowId": "1"}
    assert event_id("journey_webhooks", body, "r1") != event_id("journey_webhooks", body, "r2")
    assert event_id("journey_webhooks", body, "r1") == event_id("journey_webhooks", dict(body), "r1")
    assert event_id("journey_webhooks", {**body, "workflowId": "2"}, "r1") != event_id("journey_webhooks", body, "r1")


def test_a_chameleon_event_has_its_own_id() -> None:
    assert event_id("chameleon_webhooks", {"id": "5f3c", "kind": "ping"}, "r") == "5f3c"
    assert event_id("chameleon_webhooks", {"id": 12, "kind": "ping"}, "r") == "12"


def test_a_chameleon_event_without_a_usable_id_is_its_body() -> None:
    for unusable in ({}, {"id": None}, {"id": ""}, {"id": True}, {"id": {}}, {"id": "x" * 257}, {"id": 1.5}):
        body = {"kind": "ping", **unusable}
        assert event_id("chameleon_webhooks", body, "r1") == hashlib.sha256(canonical(body)).hexdigest()


def test_a_canonical_body_that_is_at_hand_gives_the_same_id() -> None:
    body = {"b": 1, "a": 2}
    for door in ("iterable_webhooks", "journey_webhooks", "chameleon_webhooks"):
        assert event_id(door, body, "r", canonical_body=canonical(body)) == event_id(door, body, "r")
