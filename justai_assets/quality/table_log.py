"""What a Delta table's log says of its days: files, bytes, rows, nulls and times, without reading a row."""

from __future__ import annotations

import polars as pl

from justai_assets.contract.tables import Table
from justai_assets.lake.store import Lake

DAY, FILES, BYTES, ROWS, FIRST, LAST = "event_date", "files", "bytes", "rows", "first", "last"
NULLS = "null_count."


def read_log(lake: Lake, slug: str, table: Table) -> pl.DataFrame:
    """One row per live file: event_date, path, bytes, rows, first and last event_timestamp, and null counts.

    A null count is a column `null_count.<column>`; it and the times are null where the file has no such statistics.
    """
    wanted: dict[str, pl.DataType] = {
        DAY: pl.Date(), "path": pl.String(), BYTES: pl.Int64(), ROWS: pl.Int64(),
        FIRST: pl.Datetime("us", "UTC"), LAST: pl.Datetime("us", "UTC"),
        **{f"{NULLS}{name}": pl.Int64() for name in table.required if name not in table.partition_by},
    }  # fmt: skip
    found = lake.open(slug, table)
    if found is None:
        return pl.DataFrame(schema=wanted)
    names = {
        f"partition.{table.day_column}": DAY,
        "size_bytes": BYTES,
        "num_records": ROWS,
        "min.event_timestamp": FIRST,
        "max.event_timestamp": LAST,
    }
    log = pl.DataFrame(found.get_add_actions(flatten=True)).rename(names, strict=False)
    columns = [
        (pl.col(name) if name in log.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in wanted.items()
    ]
    return log.select(columns).sort(DAY, "path")
