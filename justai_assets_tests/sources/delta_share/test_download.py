from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from justai_assets.sources.delta_share.client import ShareClient
from justai_assets.sources.delta_share.download import Downloads
from justai_assets.sources.delta_share.file_listing import Listing, list_files
from justai_assets.sources.delta_share.share_errors import (
    CorruptFileError,
    ShareAccessError,
    ShareMovedError,
    SlowShareError,
    TruncatedAnswerError,
)
from justai_assets.sources.delta_share.transport import RequestPolicy
from justai_assets.testing.share_server import ndjson
from justai_assets_tests.sources.delta_share.shared import D2, QUICK, TABLE, Mirrored, events, replace_day


@contextmanager
def downloads(
    mirrored: Mirrored, folder: Path, client: ShareClient | None = None
) -> Iterator[tuple[Downloads, Listing]]:
    with client or mirrored.client() as used:
        listing = list_files(used, TABLE)
        mirrored.asked()
        with Downloads(used, TABLE, listing, folder) as opened:
            yield opened, listing


def test_files_arrive_whole_and_only_once(mirrored: Mirrored, tmp_path: Path) -> None:
    with downloads(mirrored, tmp_path / "in") as (opened, listing):
        paths = [future.result() for future in opened.start(listing.files).values()]
        assert [path.stat().st_size for path in paths] == [file.size for file in listing.files]
        for file in listing.files:
            opened.fetch(file)
    assert mirrored.asked() == ["files"] * 3


def test_a_file_of_an_earlier_run_is_not_fetched_again(mirrored: Mirrored, tmp_path: Path) -> None:
    for expected in (["files"] * 3, []):
        with downloads(mirrored, tmp_path / "in") as (opened, listing):
            for future in opened.start(listing.files).values():
                future.result()
            assert mirrored.asked() == expected


def test_a_broken_connection_is_continued_where_it_broke(mirrored: Mirrored, tmp_path: Path) -> None:
    mirrored.server.break_("files", "hang_up", times=1)
    with downloads(mirrored, tmp_path / "in") as (opened, listing):
        file = listing.files[0]
        assert opened.fetch(file).stat().st_size == file.size
    assert mirrored.server.ranges == [(file.size // 2, file.size - 1)]


def test_a_half_file_of_a_killed_run_is_continued(mirrored: Mirrored, tmp_path: Path) -> None:
    with downloads(mirrored, tmp_path / "in") as (opened, listing):
        file = listing.files[0]
        path = opened.fetch(file)
        whole = path.read_bytes()
        path.unlink()
        path.with_suffix(".part").write_bytes(whole[:100])
        assert opened.fetch(file).read_bytes() == whole
    assert mirrored.server.ranges == [(100, file.size - 1)]


def test_an_expired_address_is_renewed_for_all_files_at_once(mirrored: Mirrored, tmp_path: Path) -> None:
    mirrored.server.access.url_seconds = -1
    with downloads(mirrored, tmp_path / "in") as (opened, listing):
        mirrored.server.access.url_seconds = 3600
        for future in opened.start(listing.files).values():
            future.result()
    assert mirrored.asked().count("query") == 1


def test_fresh_addresses_are_asked_for_the_listed_snapshot_not_for_a_newer_one(
    mirrored: Mirrored, tmp_path: Path
) -> None:
    mirrored.server.access.url_seconds = -1
    with downloads(mirrored, tmp_path / "in") as (opened, listing):
        mirrored.server.access.url_seconds = 3600
        replace_day(mirrored.source, D2, events(D2, 9))
        rows = [pl.read_parquet(opened.fetch(file)).height for file in listing.files]
    assert rows == [5, 5, 5]


def test_a_store_that_refuses_fresh_addresses_is_an_error_of_access(mirrored: Mirrored, tmp_path: Path) -> None:
    mirrored.server.access.url_seconds = -1
    with (
        downloads(mirrored, tmp_path / "in") as (opened, listing),
        pytest.raises(ShareAccessError, match="storage credential"),
    ):
        opened.fetch(listing.files[0])


def test_a_file_that_is_gone_asks_for_a_new_list(mirrored: Mirrored, tmp_path: Path) -> None:
    with downloads(mirrored, tmp_path / "in") as (opened, listing):
        for path in mirrored.source.rglob("*.parquet"):
            path.unlink()
        with pytest.raises(ShareMovedError, match="gone"):
            opened.fetch(listing.files[0])


def test_a_corrupt_transfer_is_fetched_again(mirrored: Mirrored, tmp_path: Path) -> None:
    mirrored.server.break_("files", "corrupt", times=1)
    with downloads(mirrored, tmp_path / "in") as (opened, listing):
        assert pl.read_parquet(opened.fetch(listing.files[0])).height == 5


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("corrupt", CorruptFileError, "not readable Parquet"),
        ("short", TruncatedAnswerError, "bytes"),
        ("hang_up", TruncatedAnswerError, "hung up"),
    ],
)
def test_a_file_that_never_arrives_whole_leaves_nothing_that_counts(
    mirrored: Mirrored, tmp_path: Path, kind: str, error: type[Exception], said: str
) -> None:
    # A continued transfer gets shorter each time, so three broken ones are needed to fail.
    mirrored.server.break_("files", kind)
    with downloads(mirrored, tmp_path / "in") as (opened, listing), pytest.raises(error, match=said):
        opened.fetch(listing.files[0])
    assert not list((tmp_path / "in").glob("*.parquet"))


def test_a_row_count_that_differs_from_the_listing_is_corrupt(mirrored: Mirrored, tmp_path: Path) -> None:
    log = sorted((mirrored.source / "_delta_log").glob("*.json"))[0]
    log.write_text(log.read_text().replace('\\"numRecords\\":5', '\\"numRecords\\":6'))
    with (
        downloads(mirrored, tmp_path / "in") as (opened, listing),
        pytest.raises(CorruptFileError, match="has 5 rows; the share lists 6"),
    ):
        opened.fetch(listing.files[0])


def test_a_dripping_file_ends_with_the_time_allowed_for_it(mirrored: Mirrored, tmp_path: Path) -> None:
    mirrored.server.break_("files", "slow", seconds=0.02)
    policy = type(QUICK)(attempts=1, first_wait=0.01, read_seconds=5, file_seconds=0.2)
    start = time.monotonic()
    with (
        downloads(mirrored, tmp_path / "in", mirrored.client(policy=policy)) as (opened, listing),
        pytest.raises(SlowShareError, match=r"did not answer in time"),
    ):
        opened.fetch(listing.files[0])
    assert time.monotonic() - start < 25


@pytest.mark.parametrize("left", [b"", b"PAR1 of another kind"])
def test_what_a_power_cut_left_under_a_files_name_is_fetched_again(
    mirrored: Mirrored, tmp_path: Path, left: bytes
) -> None:
    with downloads(mirrored, tmp_path / "in") as (opened, listing):
        file = listing.files[0]
        opened.fetch(file).write_bytes(left)
        assert opened.fetch(file).stat().st_size == file.size


@pytest.mark.parametrize("said", [{"size": 0}, {}])
def test_a_size_that_the_list_does_not_say_is_that_of_what_arrives(
    mirrored: Mirrored, tmp_path: Path, said: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ndjson.file_line

    def line(*given: object) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = original(*given)
        del found["file"]["size"]
        return {"file": found["file"] | said}

    monkeypatch.setattr(ndjson, "file_line", line)
    mirrored.server.break_("files", "hang_up", times=1)
    with downloads(mirrored, tmp_path / "in") as (opened, listing):
        assert listing.files[0].size == 0
        assert pl.read_parquet(opened.fetch(listing.files[0])).height == 5
    mirrored.run()
    assert mirrored.rows().height == 15


def test_a_failing_run_does_not_wait_for_the_downloads_beside(mirrored: Mirrored, tmp_path: Path) -> None:
    mirrored.server.break_("files", "slow", seconds=30)
    start = time.monotonic()
    with downloads(mirrored, tmp_path / "in", mirrored.client(policy=RequestPolicy())) as (opened, listing):
        opened.start(listing.files)
        time.sleep(0.3)
    assert time.monotonic() - start < 25
