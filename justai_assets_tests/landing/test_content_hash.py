"""The version of a day on disk: the hash of its bytes, whatever number of calls it takes to read them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from justai_assets.landing import content_hash as contents
from justai_assets.landing.content_hash import Contents
from justai_assets.landing.day_changes import Landed, Unread
from justai_assets.landing.landing_paths import day_prefix
from justai_assets.landing.listing import list_day
from justai_assets.storage import Root

DAY = date(2026, 1, 5)


@pytest.fixture(autouse=True)
def _short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "STRETCH", 4)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root.parse(str(tmp_path / "landing"))


def put(root: Root, name: str, content: bytes, day: date = DAY) -> None:
    root.write(f"{day_prefix('redshift', 'acme', day)}/{name}", content)


def landed(root: Root, day: date = DAY) -> Landed:
    return Landed(list_day(root, "redshift", "acme", day))


def read(root: Root, found: Landed, known: Contents | None = None, *, is_late: bool = False) -> str | Unread:
    return (known or Contents()).version(root, "acme", found, lambda: is_late)


def test_a_day_read_in_many_calls_has_the_version_of_one_read_at_once(root: Root) -> None:
    for name, content in {
        "b.parquet": b"0123456789",
        "a.parquet": b"01234567",
        "c.parquet": b"",
        "_SUCCESS": b"",
    }.items():
        put(root, name, content)
    found = landed(root)
    known = Contents()
    versions = [read(root, found, known, is_late=True) for _ in range(7)]
    assert versions[:-1] == [Unread.LATE] * 6
    assert versions[-1] == read(root, found)
    assert known.unfinished == {}


def test_the_same_bytes_written_again_are_the_same_version_and_others_are_not(root: Root) -> None:
    put(root, "a.parquet", b"0123456789")
    first = landed(root)
    put(root, "a.parquet", b"0123456789")
    again = landed(root)
    assert first.listing != again.listing
    version = read(root, again)
    assert read(root, first) == version
    put(root, "a.parquet", b"012345678X")
    assert read(root, landed(root)) != version


def test_a_day_that_changes_while_it_is_read_is_read_from_the_beginning(root: Root) -> None:
    put(root, "a.parquet", b"0123456789")
    known = Contents()
    assert read(root, landed(root), known, is_late=True) is Unread.LATE
    put(root, "a.parquet", b"X123456789")
    assert read(root, landed(root), known) == read(root, landed(root))


@pytest.mark.parametrize("content", [None, b"01"], ids=["gone", "shorter"])
def test_a_file_that_moved_since_it_was_listed_has_no_version(root: Root, content: bytes | None) -> None:
    put(root, "a.parquet", b"0123456789")
    found = landed(root)
    if content is None:
        root.delete(found.day.data[0].key)
    else:
        put(root, "a.parquet", content)
    assert read(root, found) is Unread.MOVED


def test_days_half_read_are_bounded(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MAX_UNFINISHED", 2)
    known = Contents()
    days = [date(2026, 1, number) for number in (5, 6, 7)]
    for day in days:
        put(root, "a.parquet", b"0123456789", day)
        assert read(root, landed(root, day), known, is_late=True) is Unread.LATE
    assert [day for _, day in known.unfinished] == days[1:]


def test_a_day_too_large_to_hash_is_taken_by_its_listing(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MAX_HASHED_BYTES", 9)
    put(root, "a.parquet", b"0123456789")
    assert read(root, landed(root), is_late=True) == landed(root).listing
