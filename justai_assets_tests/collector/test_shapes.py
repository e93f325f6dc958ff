from typing import Any

import polars as pl
import pytest

from justai_assets.collector.bodies import RefusedBodyError
from justai_assets.collector.shapes import MAX_INTEGER, OBJECTS, refuse_long_integers, refuse_wrong_shape
from justai_assets.landing.envelopes import scan_envelopes
from justai_assets.landing.envelopes_write import envelope_line
from justai_assets.sources.intake import WEBHOOKS


def objects(body: pl.Struct, *above: str) -> set[tuple[str, ...]]:
    """Paths of the objects that a reader descends into."""
    found = set()
    for field in body.fields:
        if isinstance(field.dtype, pl.Struct):
            found |= {(*above, field.name)} | objects(field.dtype, *above, field.name)
    return found


@pytest.mark.parametrize("door", OBJECTS)
def test_every_object_that_the_reader_descends_into_is_looked_at(door: str) -> None:
    assert set(OBJECTS[door]) == objects(WEBHOOKS[door].body)
    outer_first = list(OBJECTS[door])
    assert all(path[:-1] in outer_first[: outer_first.index(path)] for path in outer_first if len(path) > 1)


@pytest.mark.parametrize("value", [5, "x", True, [], [1], 0, ""])
@pytest.mark.parametrize(("door", "path"), [(door, path) for door, paths in OBJECTS.items() for path in paths])
def test_what_should_be_an_object_and_is_none_is_refused(door: str, path: tuple[str, ...], value: Any) -> None:
    body = value
    for name in reversed(path):
        body = {name: body}
    with pytest.raises(RefusedBodyError, match="bad_body"):
        refuse_wrong_shape(door, body)


@pytest.mark.parametrize("door", OBJECTS)
def test_null_absent_and_empty_objects_are_taken(door: str) -> None:
    refuse_wrong_shape(door, {})
    for path in OBJECTS[door]:
        for end in (None, {}):
            body: Any = end
            for name in reversed(path):
                body = {name: body}
            refuse_wrong_shape(door, body)


def number_refused(raw: bytes, body: Any) -> bool:
    try:
        refuse_long_integers(raw, {"a": body})
    except RefusedBodyError as refused:
        assert refused.reason == "number_out_of_range"
        return True
    return False


@pytest.mark.parametrize("sign", [1, -1])
def test_a_whole_number_is_taken_exactly_when_the_reader_takes_it(sign: int, tmp_path: Any) -> None:
    for value, refused in ((MAX_INTEGER, False), (10 * MAX_INTEGER, True), (10**300, True)):
        raw = b'{"a":%d}' % (sign * value)
        assert number_refused(raw, [{"b": sign * value}]) is refused
        path = tmp_path / "lines.jsonl"
        path.write_bytes(envelope_line("i", "2026-01-05T12:41:03.000000Z", {}, raw))
        scan = scan_envelopes([path], {str(path): "key"}, WEBHOOKS["iterable_webhooks"].body)
        if refused:
            with pytest.raises(pl.exceptions.PolarsError):
                scan.collect()
        else:
            assert scan.collect().height == 1


def test_digits_in_a_text_are_no_number() -> None:
    assert not number_refused(b'{"a":"%s"}' % (b"9" * 400), "9" * 400)
    assert not number_refused(b'{"a":0.%s}' % (b"9" * 400), 1.0)
