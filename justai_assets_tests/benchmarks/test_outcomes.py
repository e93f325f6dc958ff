from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.outcomes import outcomes
from benchmarks.outcomes_contenders import CONTENDERS
from benchmarks.process import BenchError


@pytest.mark.slow
def test_duckdb_finds_the_same_outcomes_and_the_table_shows_each_contender(tmp_path: Path) -> None:
    said: list[str] = []
    report = outcomes(tmp_path, sends=1_500, repeats=1, progress=lambda doing, _: said.append(doing))
    assert set(CONTENDERS) <= set(said)
    rows = {row.name: row.rows for row in report.rows}
    assert rows["message_outcomes"] == rows["duckdb_join"] == rows["floor"] == 1_500
    assert 0 < rows["attribution"] < 1_500
    assert report.base == "attribution"
    assert all(row.seconds > 0 and row.peak_mb > 0 for row in report.rows)


def test_an_unknown_contender_is_named_before_anything_is_generated(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no contender abacus"):
        outcomes(tmp_path, contenders=("message_outcomes", "abacus"))
    assert list(tmp_path.iterdir()) == []
