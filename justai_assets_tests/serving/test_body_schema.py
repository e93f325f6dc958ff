from pathlib import Path
from typing import Any

import polars as pl
import pytest

from justai_assets.landing.envelope_writer import envelope_line
from justai_assets.landing.envelopes import read_envelopes
from justai_assets.serving.body_schema import refuse_wrong_shape
from justai_assets.serving.request_json import RefusedBodyError, parse
from justai_assets.sources.registry import envelopes_of, http_sources

HTTP = http_sources()


def objects(body: pl.Struct, *above: str) -> set[tuple[str, ...]]:
    """Paths of the objects that a reader descends into."""
    found = set()
    for field in body.fields:
        if isinstance(field.dtype, pl.Struct):
            found |= {(*above, field.name)} | objects(field.dtype, *above, field.name)
    return found


@pytest.mark.parametrize("door", HTTP)
def test_every_object_that_the_reader_descends_into_is_looked_at(door: str) -> None:
    assert set(HTTP[door].objects) == objects(envelopes_of(door).reader().body)
    outer_first = list(HTTP[door].objects)
    assert all(path[:-1] in outer_first[: outer_first.index(path)] for path in outer_first if len(path) > 1)


@pytest.mark.parametrize("value", [5, "x", True, [], [1], 0, ""])
@pytest.mark.parametrize(("door", "path"), [(door, path) for door, http in HTTP.items() for path in http.objects])
def test_what_should_be_an_object_and_is_none_is_refused(door: str, path: tuple[str, ...], value: Any) -> None:
    body = value
    for name in reversed(path):
        body = {name: body}
    with pytest.raises(RefusedBodyError, match="bad_body"):
        refuse_wrong_shape(HTTP[door], body)


@pytest.mark.parametrize("door", HTTP)
def test_null_absent_and_empty_objects_are_taken(door: str) -> None:
    refuse_wrong_shape(HTTP[door], {})
    for path in HTTP[door].objects:
        for end in (None, {}):
            body: Any = end
            for name in reversed(path):
                body = {name: body}
            refuse_wrong_shape(HTTP[door], body)


@pytest.mark.parametrize("door", HTTP)
@pytest.mark.parametrize("number", [10**38, -(10**300), 10**4000], ids=["39", "-301", "4001"])
def test_a_whole_number_of_any_length_that_is_taken_is_read(door: str, number: int, tmp_path: Path) -> None:
    raw = b'{"workflowId":%d,"id":"x","kind":"y","dataFields":{"templateId":%d},"other":%d}' % (number, number, number)
    parse(raw, 64)
    path = tmp_path / "lines.jsonl"
    path.write_bytes(envelope_line("i", "2026-01-05T12:41:03.000000Z", {}, raw))
    (batch,) = read_envelopes([(path, "key")], door, envelopes_of(door).reader().body)
    assert (batch.envelopes.height, batch.rejected.height) == (1, 0)
