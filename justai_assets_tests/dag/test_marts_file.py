"""The marts' file beside other writers, readers, and runs that fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from justai_assets.dag.marts_file import MartsBusyError, replacing

HOLD = """\
import sys, time
from pathlib import Path
from justai_assets.dag.marts_file import replacing
with replacing(Path(sys.argv[1]), print) as copy:
    copy.write_bytes(b"half")
    print("held", flush=True)
    time.sleep(60)
"""


def silent(_: str) -> None:
    pass


def fill(path: Path, rows: int) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"create or replace table mart as select * from range({rows})")


def rows(path: Path) -> int:
    with duckdb.connect(str(path), read_only=True) as connection:
        ((found,),) = connection.execute("select count(*) from mart").fetchall()
    return int(found)


def test_a_build_that_fails_leaves_the_marts_as_they_were(tmp_path: Path) -> None:
    marts = tmp_path / "marts.duckdb"
    with replacing(marts, silent) as copy:
        fill(copy, 100)
    with pytest.raises(ZeroDivisionError), replacing(marts, silent) as copy:
        assert rows(copy) == 100, "days that are not rebuilt are kept"
        fill(copy, 57)
        1 / 0  # noqa: B018 - it is to fail
    assert rows(marts) == 100
    assert sorted(one.name for one in tmp_path.iterdir()) == ["marts.duckdb", "marts.duckdb.lock"]


def test_a_reader_neither_stops_a_build_nor_sees_half_of_it(tmp_path: Path) -> None:
    marts = tmp_path / "marts.duckdb"
    fill(marts, 100)
    with duckdb.connect(str(marts), read_only=True) as reader:
        with replacing(marts, silent) as copy:
            fill(copy, 57)
            assert reader.execute("select count(*) from mart").fetchall() == [(100,)]
        assert reader.execute("select count(*) from mart").fetchall() == [(100,)]
    assert rows(marts) == 57


def test_a_second_writer_waits_says_so_and_gives_up_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    marts = tmp_path / "marts.duckdb"
    fill(marts, 100)
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(marts)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        said: list[str] = []
        with (
            pytest.raises(MartsBusyError, match="written by another run"),
            replacing(marts, said.append, wait_seconds=0.2),
        ):
            raise AssertionError("two at once")
        assert len(said) == 1
    finally:
        other.kill()
        other.wait()
    assert rows(marts) == 100
    with replacing(marts, silent, wait_seconds=5) as copy:
        assert rows(copy) == 100
        fill(copy, 3)
    assert rows(marts) == 3
