from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from justai_assets.attribution.engine.send_texts import IDS, Shelf


@pytest.mark.parametrize("resident", [1, 1 << 30])
def test_a_range_gives_back_all_its_rows_from_memory_and_disk(tmp_path: Path, resident: int) -> None:
    shelf = Shelf(tmp_path, width=10, resident=resident)
    numbers = pl.DataFrame({"row": [n * 7 % 40 for n in range(40)]})
    rows = numbers.select(*(pl.lit(name).alias(name) for name in IDS), ts=pl.col("row") * 2, row="row")
    for start in range(0, 40, 8):
        shelf.put(rows[start : start + 8])
    assert any(tmp_path.rglob("*.parquet")) == (resident == 1)
    for number in range(5):
        taken = shelf.take(number).sort("row")
        assert taken["row"].to_list() == (list(range(number * 10, number * 10 + 10)) if number < 4 else [])
        assert taken["ts"].to_list() == [2 * row for row in taken["row"]]
