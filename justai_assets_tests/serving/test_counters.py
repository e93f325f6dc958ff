import errno
import os
from pathlib import Path

import pytest

from justai_assets.serving.counters import (
    FILE_BYTES,
    RESERVED_BYTES,
    SUFFIX,
    CounterReader,
    Counters,
    PatientCounters,
    total,
)
from justai_assets_tests.serving.disk import small_disk


def test_counters_of_several_processes_add_up(tmp_path: Path) -> None:
    first, second = Counters(tmp_path / "1.counts"), Counters(tmp_path / "2.counts")
    first.add("requests|acme")
    first.add("requests|acme", 2)
    second.add("requests|acme", 10)
    second.add("requests|é|odd")
    found = total(tmp_path)
    assert found["requests|acme"] == 13
    assert found["requests|é|odd"] == 1
    assert first.get("requests|acme") == 3
    assert first.get("unknown") == 0


def test_a_reader_sees_counters_that_come_later(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "1.counts")
    reader = CounterReader(counters.file)
    assert dict(reader.items("a")) == {}
    counters.add("a1")
    counters.add("b1")
    assert dict(reader.items("a")) == {"a1": 1}
    counters.add("a1")
    counters.add("a2", 5)
    assert dict(reader.items("a")) == {"a1": 2, "a2": 5}


def test_a_slot_counts_like_its_name(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "1.counts")
    slot = counters.slot("x")
    counters.add_at(slot, 4)
    counters.add("x")
    assert counters.get("x") == 5
    assert counters.slot("x") == slot


def test_what_a_dead_process_counted_stays(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "1.counts")
    counters.add("x", 7)
    del counters
    assert total(tmp_path)["x"] == 7


def test_more_names_than_a_file_holds_share_one_counter(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "1.counts")
    count = FILE_BYTES // 900
    for number in range(count):
        counters.add(f"{number:0980d}")
    found = total(tmp_path)
    assert sum(found.values()) == count
    assert found["overflow"] > 0


def test_on_a_full_disk_new_counters_share_one_and_the_process_lives(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", f"{RESERVED_BYTES // 1024 + 16}k") as disk:
        counters = Counters(disk / "1.counts")
        count = 2 * RESERVED_BYTES // 100
        for number in range(count):
            counters.add(f"{number:080d}")
        found = total(disk)
        assert sum(found.values()) == count
        assert 0 < found["overflow"] < count
        with pytest.raises(OSError, match="No space"):
            Counters(disk / "2.counts")


def test_counters_that_wait_for_room_lose_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "100k") as disk:
        filler = disk / "filler"
        filler.write_bytes(b"x" * 90_000)
        found = PatientCounters(disk / "counters" / f"sealer{SUFFIX}")
        found.add("landed_objects", 2)
        found.add("landed_objects")
        assert total(disk / "counters") == {}
        filler.unlink()
        found.add("landed_lines", 5)
        assert {name: value for name, value in total(disk / "counters").items() if value} == {
            "landed_objects": 3,
            "landed_lines": 5,
        }


def test_where_no_file_can_be_made_counting_goes_on_in_memory(tmp_path: Path) -> None:
    (tmp_path / "counters").touch()
    found = Counters.in_any_case(tmp_path / "counters" / "1.counts")
    found.add("x", 2)
    found.add_at(found.slot("x"))
    assert found.get("x") == 3


@pytest.mark.parametrize("error", [errno.EIO, errno.EROFS, errno.EACCES])
def test_whatever_the_disk_says_a_new_counter_raises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    counters = Counters(tmp_path / "1.counts")

    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr("os.posix_fallocate", refuse)
    for number in range(2 * RESERVED_BYTES // 100):
        counters.add(f"{number:080d}")
    assert counters.get("overflow") > 0
