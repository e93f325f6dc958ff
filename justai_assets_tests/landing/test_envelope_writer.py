import base64
import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from justai_assets.landing.envelope_writer import MAX_REJECTED_BYTES, envelope_line, rejected_line, timestamp
from justai_assets_tests.landing.test_event_id import JSON_VALUES

AT = "2026-01-05T12:41:03.000000Z"


def test_a_timestamp_is_utc_and_always_as_long() -> None:
    moment = datetime(2026, 1, 5, 1, tzinfo=timezone(timedelta(hours=2)))
    assert timestamp(moment) == "2026-01-04T23:00:00.000000Z"
    assert timestamp(datetime(2026, 1, 5, 1, 2, 3, 4, tzinfo=UTC)) == "2026-01-05T01:02:03.000004Z"


@given(JSON_VALUES, st.sampled_from([None, 1, "\t"]), st.text(st.characters(exclude_categories=["Cs"])))
def test_an_envelope_is_one_line_that_holds_the_body_as_it_was_sent(
    value: object, indent: object, identity: str
) -> None:
    raw = json.dumps({"v": value}, indent=indent, ensure_ascii=False).encode()
    line = envelope_line(identity, AT, {"campaignId": "é\n"}, raw)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert b"\r" not in line
    assert json.loads(line) == {"id": identity, "received_at": AT, "query": {"campaignId": "é\n"}, "body": {"v": value}}


def test_numbers_that_a_float_cannot_hold_keep_every_digit() -> None:
    raw = b'{"a":0.1000000000000000055511151231257827,\r\n"b":123456789012345678901234567890}'
    line = envelope_line("1", AT, {}, raw)
    assert b"0.1000000000000000055511151231257827,  " in line
    assert b"123456789012345678901234567890" in line


def test_an_event_that_nobody_vouched_for_is_marked() -> None:
    assert json.loads(envelope_line("1", AT, {}, b"{}", authenticated=False))["authenticated"] is False
    assert "authenticated" not in json.loads(envelope_line("1", AT, {}, b"{}"))


@given(st.binary(max_size=300), st.integers(0, 1000))
def test_a_refused_body_is_kept_to_the_byte(raw: bytes, declared: int) -> None:
    line = rejected_line("r", AT, {}, raw, reason="not_json", status=400, content_type="x", length=declared)
    body = json.loads(line)["body"]
    assert base64.b64decode(body["raw_base64"]) == raw
    assert (body["rejected"], body["status"]) == ("not_json", 400)
    assert body["truncated"] == (declared > len(raw))
    assert body["bytes"] == max(declared, len(raw))


def test_of_a_large_refused_body_the_beginning_is_kept() -> None:
    raw = b"x" * (MAX_REJECTED_BYTES + 1)
    body = json.loads(rejected_line("r", AT, {}, raw, reason="x", status=413, content_type="", length=0))["body"]
    assert len(base64.b64decode(body["raw_base64"])) == MAX_REJECTED_BYTES
    assert body["truncated"] is True
    assert body["bytes"] == len(raw)


def test_two_receipts_of_the_same_refused_body_are_two_records() -> None:
    one, two = (
        json.loads(rejected_line(receipt, AT, {}, b"", reason="empty", status=400, content_type="", length=0))["id"]
        for receipt in ("r1", "r2")
    )
    assert one != two
