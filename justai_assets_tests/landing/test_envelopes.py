"""Every line of a landing file is counted once, and read or refused once, whatever lies beside it."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.landing import envelopes
from justai_assets.landing import lines as landed_lines
from justai_assets.landing.envelopes import read_envelopes
from justai_assets.landing.event_id import event_id
from justai_assets.sources.iterable.parse import BODY


def sound(number: int = 1, **more: object) -> bytes:
    body = {"eventName": "emailOpen", "email": "jane@example.com", "dataFields": {"templateId": number}}
    envelope = {"id": f"{number:064x}", "received_at": "2026-01-05T12:00:00Z", "query": {}, "body": body, **more}
    return json.dumps({key: value for key, value in envelope.items() if value is not ...}).encode()


BAD = {
    "cut short": (sound()[:50], "not_json"),
    "no JSON": (b"hello", "not_json"),
    "an array": (b"[" + sound() + b"]", "not_json"),
    "null": (b"null", "not_json"),
    "a number": (b"17", "not_json"),
    "a text": (b'"text"', "not_json"),
    "two objects on a line": (sound(1) + b" " + sound(2), "not_json"),
    "two objects that touch": (sound(1) + sound(2), "not_json"),
    "invalid UTF-8": (sound().replace(b"emailOpen", b"email\xff"), "not_json"),
    "a NUL": (b"\0", "not_json"),
    "a control character": (sound().replace(b"emailOpen", b"email\x01"), "not_json"),
    "NaN": (sound().replace(b"1}", b"NaN}"), "not_json"),
    "a trailing comma": (sound()[:-1] + b",}", "not_json"),
    "a leading zero": (sound().replace(b"1}", b"01}"), "not_json"),
    "brackets without end": (b'{"body":{"x":' + b"[" * 50_000, "not_json"),
    "no-break space": ("\u00a0".encode(), "not_json"),
    "a next-line character": ("\u0085".encode(), "not_json"),
    "an empty object": (b"{}", "bad_envelope"),
    "no id and no body": (b'{"id":null,"received_at":"2026-01-05T12:00:00Z","query":{}}', "bad_envelope"),
    "an empty id and no body": (b'{"id":"","received_at":"2026-01-05T12:00:00Z"}', "bad_envelope"),
    "a blank id and a null body": (b'{"id":"  ","body":null}', "bad_envelope"),
    "a body of text": (sound(body="text"), "bad_envelope"),
    "a body of list": (sound(body=[]), "bad_envelope"),
    "a query of text": (sound(query="campaignId=1"), "bad_envelope"),
    "dataFields of text": (sound(body={"eventName": "emailOpen", "dataFields": "text"}), "bad_body"),
    "a number beyond any": (sound().replace(b"1}", b"1e999}"), "bad_body"),
}

GOOD = {
    "plain": sound(1),
    "with carriage return": sound(2) + b"\r",
    "without id": sound(3, id=...),
    "with an empty id": sound(4, id=""),
    "with a blank id": sound(5, id=" "),
    "without query": sound(6, query=...),
    "with a null query": sound(7, query=None),
    "with unknown keys": sound(8, version=3, trace={"a": [1, None, {"b": 2}]}),
    "with accents and emoji": sound(
        9, note="né 🎉 \u2028 \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")
    ),
    "with a byte order mark": b"\xef\xbb\xbf" + sound(99),
    "with an escaped NUL": sound(10, note="\0"),
    "spaced": b"  " + sound(11).replace(b": ", b" :\t") + b"  ",
    "nested deep": sound(12, deep=json.loads("[" * 100 + "]" * 100)),
}
BLANK = [b"", b"   ", b"\t", b"\r", b"\x0b\x0c"]

DOOR = "iterable_webhooks"
KEY = "webhooks/iterable/acme/event_date=2026-01-05/0000.jsonl.zst"


def outcome(content: bytes, folder: Path) -> tuple[int, dict[int, tuple[str, int]], list[str]]:
    """(records counted, refused line → (reason, records), ids of the lines kept in order)."""
    file = folder / "in.jsonl"
    file.write_bytes(content)
    batches = list(read_envelopes([(file, KEY)], DOOR, BODY))
    rows = [row for batch in batches for row in batch.rejected.iter_rows(named=True)]
    by_row = {row["source_row"]: (row["reason"], row["records"]) for row in rows}
    assert len(by_row) == len(rows)
    assert {row["source_file"] for row in rows} <= {KEY}
    ids = [found for batch in batches for found in batch.envelopes["id"]]
    return sum(batch.received for batch in batches), by_row, ids


@pytest.mark.parametrize(("line", "reason"), BAD.values(), ids=BAD.keys())
def test_each_kind_of_bad_line_has_its_reason_and_leaves_its_neighbours_alone(
    line: bytes, reason: str, tmp_path: Path
) -> None:
    counted, rejected, ids = outcome(b"\n".join([sound(1), line, sound(2)]) + b"\n", tmp_path)
    assert counted == 3
    assert rejected == {1: (reason, 1)}
    assert ids == [f"{1:064x}", f"{2:064x}"]


@pytest.mark.parametrize("line", GOOD.values(), ids=GOOD.keys())
def test_each_kind_of_good_line_is_kept_with_an_id(line: bytes, tmp_path: Path) -> None:
    counted, rejected, ids = outcome(line + b"\n{broken\n", tmp_path)
    assert (counted, rejected) == (2, {1: ("not_json", 1)})
    written = (json.loads(line).get("id") or "").strip()
    assert ids == [written or event_id(DOOR, json.loads(line)["body"], "")]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from([*GOOD.values(), *BLANK, *(line for line, _ in BAD.values())]), max_size=40),
    st.booleans(),
)
def test_what_is_counted_is_kept_or_refused_and_a_fate_depends_on_the_line_alone(
    lines: list[bytes], ends: bool
) -> None:
    content = b"\n".join(lines) + (b"\n" if ends else b"")
    with tempfile.TemporaryDirectory() as folder:
        counted, rejected, ids = outcome(content, Path(folder))
        records = [line for line in lines if line.strip()]
        assert counted == len(records) == len(ids) + sum(count for _, count in rejected.values())
        reasons = {line: reason for line, reason in BAD.values()}
        assert rejected == {row: (reasons[line], 1) for row, line in enumerate(records) if line in reasons}


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=400))
def test_any_bytes_at_all_are_counted_and_accounted_for(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        counted, rejected, ids = outcome(content, Path(folder))
        assert counted == len(ids) + sum(count for _, count in rejected.values())


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_how_lines_fall_into_batches_changes_nothing(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = []
    for number in range(3):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(b"\n".join([*GOOD.values(), *(line for line, _ in BAD.values())][number:]))
        files.append((path, f"key-{number}"))
    whole = list(read_envelopes(files, DOOR, BODY, with_line=True))
    assert len(whole) == 1
    monkeypatch.setattr(envelopes, "BATCH_LINES", limit)
    batches = list(read_envelopes(files, DOOR, BODY, with_line=True))
    assert len(batches) > 1 or limit == 1000
    assert pl.concat(batch.envelopes for batch in batches).equals(whole[0].envelopes)
    refused = pl.concat(batch.rejected for batch in batches)
    assert refused.sort("source_file", "source_row").equals(whole[0].rejected.sort("source_file", "source_row"))
    assert all(batch.received == batch.envelopes.height + batch.rejected.height for batch in batches)
    for file, row, line in whole[0].envelopes.select("source_file", "_line", "line").iter_rows():
        content = (tmp_path / f"{file[-1]}.jsonl").read_bytes()
        assert content.split(b"\n")[row].decode("utf-8-sig") == line


LEAVES = {
    "text": ('"501"', "501"),
    "escapes": (r'"\u00e9\n\ud83d\ude00"', "é\n😀"),
    "an integer": ("501", "501"),
    "one past 64 bits": ("123456789012345678901234567890", "123456789012345678901234567890"),
    "a negative one": ("-7", "-7"),
    "a fraction": ("501.5", "501.5"),
    "a fraction with a zero": ("1.50", "1.50"),
    "a whole number with a point": ("501.0", "501"),
    "an exponent": ("1e2", "100"),
    "a signed exponent": ("2.90146E+5", "290146"),
    "a whole number by its exponent": ("5010e-1", "501"),
    "a fraction by its exponent": ("501e-1", "501e-1"),
    "a negative zero": ("-0.0", "0"),
    "past 2^53 with a point": ("9007199254740993.0", "9007199254740993"),
    "past 64 bits with a point": ("12345678901234567890.000", "12345678901234567890"),
    "as JavaScript writes large numbers": ("1e+21", "1000000000000000000000"),
    "too large for an id": ("1e300", "1e300"),
    "next to nothing": ("1e-999999999999999999999", "1e-999999999999999999999"),
    "a text with a point": ('"501.0"', "501.0"),
    "a text with an exponent": ('"1e2"', "1e2"),
    "digits that no float holds": ("0.12345678901234567890123", "0.12345678901234567890123"),
    "true": ("true", "true"),
    "null": ("null", None),
    "an object": ('{"a": [1, null]}', '{"a":[1,null]}'),
    "a list": ("[]", "[]"),
}


@pytest.mark.parametrize(("written", "read"), LEAVES.values(), ids=LEAVES.keys())
@pytest.mark.parametrize("beside", [[], [sound(1)]], ids=["alone", "beside an integer"])
def test_a_leaf_is_text_as_it_was_written_and_a_whole_number_is_whole(
    written: str, read: str, beside: list[bytes], tmp_path: Path
) -> None:
    file = tmp_path / "in.jsonl"
    line = f'{{"id":"x","query":{{"campaignId":{written}}},"body":{{"dataFields":{{"templateId":{written}}}}}}}'
    file.write_bytes(b"\n".join([line.encode(), *beside]))
    (batch,) = read_envelopes([(file, KEY)], DOOR, BODY)
    row = batch.envelopes.row(0, named=True)
    assert row["query"]["campaignId"] == read
    assert row["body"]["dataFields"]["templateId"] == read
    assert row["body"]["email"] is None


def test_a_line_too_long_is_refused_and_its_neighbours_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landed_lines, "MAX_LINE_BYTES", 1 << 20)
    long = sound(2, note="x" * (3 << 20))
    counted, rejected, ids = outcome(b"\n".join([sound(1), long, sound(3)]), tmp_path)
    assert (counted, rejected, ids) == (3, {1: ("not_json", 1)}, [f"{1:064x}", f"{3:064x}"])


PACKERS = {"zstd": zstandard.compress, "gzip": gzip.compress}


def compressed(content: bytes, frames: int = 1, packer: str = "zstd") -> bytes:
    lines = content.splitlines(keepends=True)
    size = -(-len(lines) // frames)
    return b"".join(PACKERS[packer](b"".join(lines[at : at + size])) for at in range(0, len(lines), size))


LINES = b"".join(sound(number) + b"\n" for number in range(3000))


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("frames", [1, 3])
def test_a_compressed_file_of_one_or_several_frames_is_read_whole(frames: int, packer: str, tmp_path: Path) -> None:
    counted, rejected, ids = outcome(compressed(LINES, frames, packer), tmp_path)
    assert (counted, rejected, len(ids)) == (3000, {}, 3000)


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.999])
@pytest.mark.parametrize("frames", [1, 4])
@pytest.mark.parametrize("packer", PACKERS)
def test_a_compressed_file_cut_short_keeps_what_is_whole_and_counts_the_rest_as_one(
    keep: float, frames: int, packer: str, tmp_path: Path
) -> None:
    content = compressed(LINES, frames, packer)
    counted, rejected, ids = outcome(content[: int(len(content) * keep)], tmp_path)
    assert rejected[None] == ("unreadable_file", 1)
    assert counted == len(ids) + sum(count for _, count in rejected.values())
    assert len(ids) < 3000


@settings(deadline=None, max_examples=15)
@given(st.integers(4, 2000), st.binary(min_size=1, max_size=20), st.sampled_from(sorted(PACKERS)))
def test_damage_inside_a_compressed_file_loses_no_count(at: int, damage: bytes, packer: str) -> None:
    content = bytearray(compressed(LINES, packer=packer))
    content[at : at + len(damage)] = damage
    with tempfile.TemporaryDirectory() as folder:
        counted, rejected, ids = outcome(bytes(content), Path(folder))
        assert counted == len(ids) + sum(count for _, count in rejected.values())


def test_an_empty_file_and_no_file_hold_no_record(tmp_path: Path) -> None:
    assert outcome(b"", tmp_path) == (0, {}, [])
    assert outcome(b"\n \n\t\n", tmp_path) == (0, {}, [])
    assert list(read_envelopes([], DOOR, BODY)) == []


def test_a_record_id_is_given_only_when_it_is_a_digest(tmp_path: Path) -> None:
    lines = [sound(1, body="text"), sound(2, id="jane@example.com", body="text"), sound(3, id=7, body="text")]
    file = tmp_path / "in.jsonl"
    file.write_bytes(b"\n".join(lines))
    (batch,) = read_envelopes([(file, KEY)], DOOR, BODY)
    assert batch.rejected["record_id"].to_list() == [f"{1:064x}", None, None]


def test_a_body_too_deep_for_its_id_is_refused_and_counted(tmp_path: Path) -> None:
    def below(depth: int) -> tuple[int, dict[int, tuple[str, int]], list[str]]:
        deep = b"[" * 950 + b"]" * 950
        line = b'{"received_at":"x","body":{"x":' + deep + b"}}"
        return outcome(sound(1) + b"\n" + line, tmp_path) if depth == 0 else below(depth - 1)

    counted, rejected, ids = below(200)  # as deep in the stack as a run of Dagster is
    assert (counted, ids) == (2, [f"{1:064x}"])
    assert set(rejected) == {1}
