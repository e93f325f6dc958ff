"""Torn, cut and damaged segments: each record that can be read lands, and what is missing is counted."""

import errno
import os
import struct
import zlib
from pathlib import Path

import pytest

from justai_assets.serving.journal.record_format import MAGIC, UNNUMBERED_MAGIC, pack
from justai_assets.storage import Root
from justai_assets_tests.serving.segments import RECORDS, crowd, seal, written
from justai_assets_tests.serving.service import landed


def test_a_torn_tail_is_left_out_and_said(tmp_path: Path) -> None:
    root = Root.parse(str(tmp_path / "landing"))
    path = tmp_path / "00000001.adopted"
    whole = pack(b"segment/w/00000001", b"", 0) + pack(*RECORDS[0], 1)
    path.write_bytes(whole + pack(*RECORDS[1], 2)[:-3])
    sealed = seal(path, root)
    assert [one["id"] for one in landed(root)] == ["a"]
    assert sealed.torn_bytes == len(pack(*RECORDS[1], 2)) - 3
    assert (sealed.damaged_bytes, sealed.lost_records, sealed.is_cut) == (0, 0, False)


def cut(content: bytes, *, what: str) -> bytes:
    """A closed segment as a bad disk leaves it."""
    last = content.rfind(MAGIC)
    before = content.rfind(MAGIC, 0, last)
    return {
        "to nothing": b"",
        "at a record's border": content[:last],
        "one record earlier": content[:before],
        "zeroed": content[:before] + bytes(len(content) - before),
        "flipped": content[:before] + bytes(one ^ 255 for one in content[before:]),
    }[what]


@pytest.mark.parametrize("what", ["to nothing", "at a record's border", "one record earlier", "zeroed", "flipped"])
def test_a_closed_segment_whose_tail_is_gone_is_never_taken_for_whole(tmp_path: Path, what: str) -> None:
    segment = written(tmp_path / "journal", RECORDS)
    segment.write_bytes(cut(segment.read_bytes(), what=what))
    sealed = seal(segment, Root.parse(str(tmp_path / "landing")))
    assert sealed.is_cut
    assert not sealed.is_whole


def test_a_record_that_is_missing_by_its_number_is_counted(tmp_path: Path) -> None:
    segment = written(tmp_path / "journal", RECORDS)
    content = segment.read_bytes()
    third, fourth = pack(*RECORDS[2], 3), pack(*RECORDS[3], 4)
    assert third + fourth in content
    segment.write_bytes(content.replace(third + fourth, b""))
    sealed = seal(segment, Root.parse(str(tmp_path / "landing")))
    assert (sealed.lost_records, sealed.damaged_bytes, sealed.is_cut) == (2, 0, False)


def test_a_segment_of_an_earlier_version_is_read_also_without_an_end_record(tmp_path: Path) -> None:
    def old(tag: bytes, content: bytes) -> bytes:
        payload = struct.pack("<H", len(tag)) + tag + content
        return struct.pack("<4sII", UNNUMBERED_MAGIC, len(payload), zlib.crc32(payload, len(payload))) + payload

    path = tmp_path / "00000001.closed"
    path.write_bytes(old(b"segment/w/00000001", b"") + b"".join(old(*one) for one in RECORDS) + old(*RECORDS[0])[:9])
    sealed = seal(path, Root.parse(str(tmp_path / "landing")))
    assert (sealed.lines, sealed.torn_bytes, sealed.is_cut) == (6, 9, False)


@pytest.mark.parametrize("is_short", [False, True])
def test_a_sector_that_cannot_be_read_costs_its_records_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_short: bool
) -> None:
    root = Root.parse(str(tmp_path / "landing"))
    segment = crowd(tmp_path, 60)
    assert segment.stat().st_size > 3 * 4096
    pread = os.pread

    def bad(descriptor: int, size: int, at: int) -> bytes:
        if is_short and at < 4096 < at + size:
            # As the kernel does it: what comes before the sector, and the error with the next read.
            return pread(descriptor, 4096 - at, at)
        if at < 2 * 4096 and at + size > 4096:
            raise OSError(errno.EIO, "Input/output error")
        return pread(descriptor, size, at)

    monkeypatch.setattr("os.pread", bad)
    sealed = seal(segment, root)
    assert sealed.damaged_bytes >= 4096
    assert sealed.lost_records > 0
    assert sealed.lines + sealed.lost_records == sum(range(1, 61))


def test_damage_in_the_middle_costs_its_record_only_and_is_said(tmp_path: Path) -> None:
    root = Root.parse(str(tmp_path / "landing"))
    segment = written(tmp_path / "journal", RECORDS)
    content = bytearray(segment.read_bytes())
    content[content.find(b'"id":"c"') + 6] ^= 1
    segment.write_bytes(content)
    sealed = seal(segment, root)
    assert sorted(one["id"] for one in landed(root)) == ["a", "b", "d", "e", "f"]
    assert (sealed.damaged_bytes, sealed.lost_records) == (len(pack(*RECORDS[2], 3)), 1)


def test_garbage_behind_the_end_of_a_closed_segment_is_damage(tmp_path: Path) -> None:
    segment = written(tmp_path / "journal", RECORDS)
    segment.write_bytes(segment.read_bytes() + b"garbage")
    sealed = seal(segment, Root.parse(str(tmp_path / "landing")))
    assert (sealed.torn_bytes, sealed.damaged_bytes) == (0, 7)


def test_an_empty_segment_lands_nothing(tmp_path: Path) -> None:
    path = tmp_path / "00000001.closed"
    path.touch()
    assert seal(path, Root.parse(str(tmp_path / "landing"))).objects == 0
