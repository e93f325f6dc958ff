import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.landing.event_id import canonical
from justai_assets.serving.request_json import STATUS, RefusedBodyError, _without_strings, parse
from justai_assets_tests.landing.test_event_id import JSON_VALUES

DEPTH = 64


def refusal(raw: bytes, depth: int = DEPTH) -> str:
    with pytest.raises(RefusedBodyError) as refused:
        parse(raw, depth)
    return refused.value.reason


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"\x00", "not_json"),
        (b"{}\xef\xbb\xbf", "not_json"),
        (b"eventName=emailOpen", "not_json"),
        (b'{"a":1}{"a":1}', "not_json"),
        (b'{"a":1,}', "not_json"),
        (b'{"a":01}', "not_json"),
        (b'{"a":NaN}', "not_json"),
        (b'{"a":-Infinity}', "not_json"),
        (b'{"a":"\n"}', "not_json"),
        (b'{"a":"\xff"}', "invalid_utf8"),
        (b'{"a":"\xed\xa0\x80"}', "invalid_utf8"),
        ('{"a":1}'.encode("utf-16"), "invalid_utf8"),
        (b'{"a":"\\ud800"}', "lone_surrogate"),
        (b'{"a":"\\udc00\\ud800"}', "lone_surrogate"),
        (b'{"\\ud800":1}', "lone_surrogate"),
        (b'{"a":1e999}', "number_out_of_range"),
        (b'{"a":' + b"1" * 5000 + b"}", "number_out_of_range"),
        (b"[]", "not_an_object"),
        (b'[{"a":1}]', "not_an_object"),
        (b"1", "not_an_object"),
        (b"null", "not_an_object"),
        (b'"x"', "not_an_object"),
        (b'{"a":1,"a":1}', "duplicate_key"),
        (b'{"a":{"b":[{"c":1,"c":2}]}}', "duplicate_key"),
        (b'{"a":1,"\\u0061":2}', "duplicate_key"),
        (b'{"a":1,"\\u0061":"\\u0022\\u0022"}', "duplicate_key"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "too_deep"),
    ],
)
def test_what_is_not_one_plain_object_is_refused_with_its_reason(raw: bytes, reason: str) -> None:
    assert refusal(raw) == reason
    assert 400 <= STATUS[reason] < 500


def test_a_byte_order_mark_before_the_body_is_no_part_of_it() -> None:
    assert parse(b'\xef\xbb\xbf{"a":1}', DEPTH) == parse(b'{"a":1}', DEPTH)
    assert refusal(b"\xef\xbb\xbf") == "empty"


def test_nesting_is_accepted_up_to_the_limit() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":' * depth + b"1" + b"}" * depth

    assert parse(nested(DEPTH), DEPTH)
    assert refusal(nested(DEPTH + 1)) == "too_deep"
    assert refusal(b'{"a":' + b"[" * DEPTH + b"]" * DEPTH + b"}") == "too_deep"
    assert parse(b'{"a":"' + b"[{" * DEPTH + b'"}', DEPTH), "brackets in a string nest nothing"


@given(JSON_VALUES, st.sampled_from([None, 2]), st.booleans())
def test_an_honest_object_is_accepted_however_it_is_written(value: Any, indent: int | None, ascii_only: bool) -> None:
    raw = json.dumps({"v": value, '"': '\\"'}, indent=indent, ensure_ascii=ascii_only).encode()
    body, form = parse(raw, DEPTH)
    assert body == json.loads(raw)
    assert form == canonical(body)


KEYS = st.sampled_from(["a", "b", "\\u0061", 'q\\"', "\\u0022"])
VALUES = st.sampled_from(['"x"', "1", '"\\u0022"', '{"a":1}'])


@given(st.lists(st.tuples(KEYS, VALUES), max_size=5))
@settings(max_examples=500)
def test_a_key_given_twice_is_found_exactly_when_there_is_one(pairs: list[tuple[str, str]]) -> None:
    raw = ("{" + ",".join(f'"{key}":{value}' for key, value in pairs) + "}").encode()
    keys = [json.loads(f'"{key}"') for key, _ in pairs]
    if len(set(keys)) == len(keys):
        assert parse(raw, DEPTH)[0] == json.loads(raw)
    else:
        assert refusal(raw) == "duplicate_key"


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\ud8e0nul1.-+ \n', max_size=40).map(str.encode))
@settings(max_examples=1000)
def test_any_bytes_are_an_object_or_a_refusal_with_a_known_reason(raw: bytes) -> None:
    try:
        body, _ = parse(raw, DEPTH)
    except RefusedBodyError as refused:
        assert refused.reason in STATUS
    else:
        assert isinstance(body, dict)
        assert body == json.loads(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":[' + b",".join([b"[]"] * 2_001) + b"]}",
        b'{"a":[' + b",".join([b"1"] * 5_002) + b"]}",
        b'{"a":[' + b",".join([b"1.7976931348623157e308"] * 101) + b"]}",
        b"{" + b",".join(b'"%d":1' % number for number in range(5_002)) + b"}",
    ],
    ids=["arrays", "values", "numbers that are slow to read", "keys"],
)
def test_a_body_of_thousands_of_values_is_refused_before_it_is_decoded(raw: bytes) -> None:
    assert refusal(raw) == "too_complex"


def test_what_stands_in_strings_is_no_structure() -> None:
    body, _ = parse(b'{"a":"' + b"[{,}]" * 10_000 + b'"}', 64)
    assert len(body["a"]) == 50_000


@pytest.mark.parametrize(
    "raw", [b"[" * 500_000, b'{"a":' + b"[" * 500_000 + b"]" * 500_000 + b"}", b"[" + b"[]," * 300_000]
)
def test_a_megabyte_of_brackets_is_judged_in_no_time(raw: bytes) -> None:
    begun = time.process_time()
    assert refusal(raw) in {"too_deep", "too_complex"}
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":' + b"[" * 70 + b'\\"' * 500_000,
        b'{"a":[' + b"1," * 110 + b"1" * 1_000_000 + b"]}",
        b'{"a":[' + b"1," * 110 + b"1." * 500_000 + b"]}",
        b'{"a":[' + b"1," * 110 + b'"' + b"\\" * 1_000_000 + b"]}",
        b'{"a":[' + b'"",' * 330_000 + b'""]}',
        b"{" + b"[" * 70 + b'"' * 1_000_000,
        b"[" * 70 + b"1e" * 500_000,
        b"1," * 500_000,
    ],
    ids=["escaped quotes", "digits", "points", "backslashes", "empty strings", "quotes", "exponents", "commas"],
)
def test_no_megabyte_takes_longer_to_judge_than_to_read(raw: bytes) -> None:
    """Patterns that looked ahead from every quote or digit took hours for these, and the worker answered nobody."""
    begun = time.process_time()
    assert STATUS[refusal(raw)] == 400
    assert time.process_time() - begun < 0.5


@given(
    st.lists(
        st.one_of(st.sampled_from(['\\"', "\\\\", '"', "[", "]", "{", "}", ",", "x"]), st.text(max_size=3)), max_size=30
    )
)
def test_only_what_stands_outside_strings_counts_as_structure(parts: list[str]) -> None:
    raw = json.dumps({"a": "".join(parts), "b": [1]}).encode()
    assert _without_strings(raw) == b"{: , : [1]}"
