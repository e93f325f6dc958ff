"""A damaged file whose days only its rows could tell: it is named and counted, and costs no day of the other files."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from justai_assets.contract.days import Days
from justai_assets.contract.tables import DELTA_SHARE
from justai_assets.lake.built_days import BuiltDays
from justai_assets.sources.delta_share.share_errors import CorruptFileError
from justai_assets.sources.delta_share.transport import RequestPolicy
from justai_assets.testing.share_server.shared_tables import SharedTable
from justai_assets_tests.sources.delta_share.shared import (
    D1,
    D2,
    D3,
    NAME,
    Mirrored,
    events,
    open_mirrored,
    ordered,
    write,
)
from justai_assets_tests.sources.delta_share.test_impossible_days import share

FAST = RequestPolicy(attempts=2, first_wait=0.01, longest_wait=0.2, connect_seconds=1, read_seconds=0.2)
D4 = D3 + timedelta(days=1)


def append(mirrored: Mirrored, *frames: pl.DataFrame) -> Path:
    """One more file of several days; where it lies."""
    before = set(mirrored.source.rglob("*.parquet"))
    write(mirrored.source, pl.concat(frames), by_day=False)
    (added,) = set(mirrored.source.rglob("*.parquet")) - before
    return added


def damage(path: Path, *, footer: bool = False) -> bytes:
    """Zero the first page header or the end of the footer of a file; its bytes before."""
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + bytes(9) if footer else whole[:4] + bytes(60) + whole[64:])
    return whole


def hash_of(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()


def refused(mirrored: Mirrored) -> list[tuple[date | None, str, int]]:
    return mirrored.quarantine().select("event_date", "reason", "records").rows()


def notes(mirrored: Mirrored) -> set[str]:
    return {remark for step in mirrored.steps for remark in step.notes}


@pytest.mark.parametrize("with_stats", [True, False])
@pytest.mark.parametrize("footer", [True, False])
def test_the_days_that_other_files_give_are_mirrored_and_say_that_they_may_be_incomplete(
    tmp_path: Path, with_stats: bool, footer: bool
) -> None:
    for mirrored in open_mirrored(tmp_path):
        append(mirrored, events(D1), events(D2))
        bad = append(mirrored, events(D2, tag="more"), events(D3))
        append(mirrored, events(D3, 2, tag="other"), events(D4))
        mirrored.server.offer(NAME, SharedTable(mirrored.source, with_stats=with_stats))
        whole = damage(bad, footer=footer)
        with pytest.raises(CorruptFileError, match="cannot be read") as caught:
            mirrored.run(policy=FAST)
        given = pl.concat([events(D1), events(D2), events(D3, 2, tag="other"), events(D4)])
        assert_frame_equal(mirrored.rows(), ordered(given))
        spans = "2026-01-02..2026-01-03" if with_stats else "2026-01-01..2026-01-04,undated"
        assert f"days that may be incomplete: {spans}" in str(caught.value)
        marked = {report.day for step in mirrored.steps for report in step.reports if report.marks}
        assert marked == ({D2, D3} if with_stats else {D1, D2, D3, D4, None})
        rows = 1 if footer and not with_stats else 10
        assert refused(mirrored) == [(None, "unreadable_file", rows)]
        assert mirrored.fates()[None, "received", None] == rows
        assert {one.split("; days")[1] for one in notes(mirrored)} == {f" that may be incomplete: {spans}"}
        bad.write_bytes(whole)
        mirrored.run()
        assert_frame_equal(mirrored.rows(), ordered(pl.read_delta(str(mirrored.source))))
        assert refused(mirrored) == []
        assert mirrored.run() == []


def test_a_day_that_the_mirror_holds_is_neither_emptied_nor_made_smaller(tmp_path: Path) -> None:
    """Compaction may have moved the rows of a day into the damaged file, in part or all of them."""
    for mirrored in open_mirrored(tmp_path):
        append(mirrored, events(D1), events(D2), events(D3))
        mirrored.run()
        DeltaTable(mirrored.source).delete()
        append(mirrored, events(D1, 2), events(D2, 7), events(D4))
        bad = append(mirrored, events(D1, 3, tag="rest"), events(D3))
        mirrored.server.offer(NAME, SharedTable(mirrored.source, with_stats=False))
        whole = damage(bad)
        for _ in range(2):
            with pytest.raises(CorruptFileError, match=r"incomplete: 2026-01-01\.\.2026-01-04,undated"):
                mirrored.run(policy=FAST)
            given = pl.concat([events(D1), events(D2, 7), events(D3), events(D4)])
            assert_frame_equal(mirrored.rows(), ordered(given))
            assert not BuiltDays.of(mirrored.lake, mirrored.slug, DELTA_SHARE).torn
        bad.write_bytes(whole)
        mirrored.run()
        assert_frame_equal(mirrored.rows(), ordered(pl.read_delta(str(mirrored.source))))


def test_a_file_that_stays_damaged_writes_nothing_again(tmp_path: Path) -> None:
    for mirrored in open_mirrored(tmp_path):
        append(mirrored, events(D1), events(D2))
        damage(append(mirrored, events(D2, tag="more"), events(D3)))
        for days in ({None, D1, D2}, set()):
            with pytest.raises(CorruptFileError):
                mirrored.run(policy=FAST)
            assert set(mirrored.written()) == days


@pytest.mark.parametrize("other_ids", [True, False])
def test_a_file_that_is_whole_again_at_the_same_version_is_mirrored_though_its_days_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other_ids: bool
) -> None:
    for mirrored in open_mirrored(tmp_path):
        append(mirrored, events(D1), events(D2))
        bad = append(mirrored, events(D2, tag="more"), events(D3))
        mirrored.server.offer(NAME, SharedTable(mirrored.source, is_view=True))
        whole = damage(bad)
        with pytest.raises(CorruptFileError):
            mirrored.run(policy=FAST)
        bad.write_bytes(whole)
        if other_ids:
            monkeypatch.setattr(SharedTable, "file_id", staticmethod(hash_of))
        mirrored.run()
        assert_frame_equal(mirrored.rows(), ordered(pl.read_delta(str(mirrored.source))))


def test_asked_days_are_mirrored_beside_a_damaged_file(tmp_path: Path) -> None:
    for mirrored in open_mirrored(tmp_path):
        append(mirrored, events(D1), events(D2))
        damage(append(mirrored, events(D2, tag="more"), events(D3)))
        with pytest.raises(CorruptFileError, match="incomplete: 2026-01-02"):
            mirrored.run(policy=FAST, days=Days(D1, D2))
        assert_frame_equal(mirrored.rows(), ordered(pl.concat([events(D1), events(D2)])))


def test_every_file_that_cannot_be_read_is_named_whether_its_days_are_known_or_not(tmp_path: Path) -> None:
    for mirrored in open_mirrored(tmp_path):
        append(mirrored, events(D1), events(D2))
        bad = [append(mirrored, events(D2, tag="more"), events(D3)), append(mirrored, events(D3, tag="x"), events(D4)),
               append(mirrored, events(D4, tag="one day"))]  # fmt: skip
        for path in bad:
            damage(path)
        with pytest.raises(CorruptFileError) as caught:
            mirrored.run(policy=FAST)
        assert str(caught.value).count("cannot be read") == len(bad)
        assert_frame_equal(mirrored.rows(), ordered(pl.concat([events(D1), events(D2)])))


@pytest.mark.parametrize("column", ["event_date", "event_timestamp"])
def test_a_file_with_a_column_of_another_type_is_named_with_its_column(column: str, tmp_path: Path) -> None:
    for mirrored in open_mirrored(tmp_path):
        good, bad = events(D1).to_arrow(), events(D2).to_arrow()
        at = bad.column_names.index(column)
        bad = bad.set_column(at, column, pa.array(["2026-01-02"] * 5))
        share(mirrored.source, {"good.parquet": (good, {}), "bad.parquet": (bad, {})})
        with pytest.raises(
            CorruptFileError, match=rf"\(5 rows, of unknown days\) cannot be read: wrong_type {column};"
        ):
            mirrored.run()
        assert_frame_equal(mirrored.rows(), ordered(events(D1)))
        assert refused(mirrored) == [(None, "wrong_type", 5)]
