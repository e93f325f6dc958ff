from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.attribution import attribution, scale
from benchmarks.process import BenchError, Run
from benchmarks.report import Report, Row


@pytest.mark.slow
def test_the_contenders_write_the_same_rows_and_the_table_says_how_long_they_took(tmp_path: Path) -> None:
    said: list[str] = []
    names = ("engine", "copying_floor", "duckdb_asof", "documented_sql", "polars_asof", "pandas_asof")
    report = attribution(
        tmp_path, users=3_000, contenders=names, repeats=1, progress=lambda doing, _: said.append(doing)
    )
    assert set(names) <= set(said)
    rows = {row.name: row.rows for row in report.rows}
    assert rows["copying_floor"] == 2 * 4020
    assert len({count for name, count in rows.items() if name != "copying_floor"}) == 1
    assert rows["engine"] > rows["copying_floor"]
    assert not (tmp_path / "out").exists()
    table = report.table().splitlines()
    assert len(table) == 4 + len(names)
    assert len({len(line) for line in table[2:]}) == 1
    data, picture = report.write(tmp_path / "results", "attribution")
    assert [row["name"] for row in json.loads(data.read_text())["rows"]] == list(names)
    assert picture.read_text().startswith("<svg")


@pytest.mark.slow
def test_the_engine_is_measured_at_growing_sizes_and_with_a_heavy_user(tmp_path: Path) -> None:
    report = scale(tmp_path, users=1_000, scales=(1, 3), skew=0.2, repeats=1)
    assert [row.name for row in report.rows] == ["1×", "3×", "1×, 20% one user"]
    assert report.rows[1].size == 3 * report.rows[0].size
    assert report.exponent(report.rows[1]) is not None
    assert "exponent" in report.table()


def test_an_unknown_contender_is_named_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no contender abacus"):
        attribution(tmp_path, contenders=("engine", "abacus"))
    assert list(tmp_path.iterdir()) == []


def test_the_exponent_is_one_where_time_grows_as_the_rows() -> None:
    def row(name: str, seconds: float, size: int) -> Row:
        return Row.of(name, [Run(name, seconds, seconds, 100, 1, 1, 1)], size=size)

    report = Report("scale", (row("1×", 2.0, 10), row("3×", 6.0, 30), row("10×", 200.0, 100)))
    assert [report.exponent(one) for one in report.rows] == [None, pytest.approx(1.0), pytest.approx(2.0)]
