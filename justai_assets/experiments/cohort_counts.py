"""The input of an experiment: counts per template, arm, metric, window, send day and copy."""

from __future__ import annotations

from typing import Final

import polars as pl

from justai_assets.experiments.arms import ARMS
from justai_assets.experiments.experiment_errors import ExperimentError

COUNTS: Final = pl.Schema(
    {
        "template": pl.String(),
        "arm": pl.String(),
        "metric": pl.String(),
        "window_hours": pl.Int32(),
        "is_own_window": pl.Boolean(),
        "cohort_date": pl.Date(),
        "copy_id": pl.String(),
        "messages": pl.Int64(),
        "successes": pl.Int64(),
    }
)
"""template: id in the org file. arm: treatment or control. metric, window_hours: see metric.py; a success is a message
with at least one such event within the window after its send. is_own_window: the window the org decides by.
cohort_date: day of the send, UTC. copy_id: the copy served; null where it is not known. messages: sends.
successes: of those. No row means no message."""


def checked(counts: pl.DataFrame) -> pl.DataFrame:
    """The counts in the order and types of COUNTS, every sum once per key.

    Raises:
        ExperimentError: a column is missing, an arm is unknown, a key is null, or a row has fewer messages than
            successes or fewer successes than none.
    """
    missing = [name for name in COUNTS.names() if name not in counts.columns]
    if missing:
        raise ExperimentError(f"the counts lack {', '.join(missing)}", mend="see COUNTS for the columns")
    counts = counts.select(pl.col(name).cast(dtype) for name, dtype in COUNTS.items())
    keys = [name for name in COUNTS.names() if name not in ("copy_id", "messages", "successes")]
    nulls = [name for name in (*keys, "messages", "successes") if counts[name].null_count()]
    if nulls:
        raise ExperimentError(f"the counts have nulls in {', '.join(nulls)}", mend="only copy_id may be null")
    unknown = counts.filter(~pl.col("arm").is_in(ARMS)).get_column("arm").unique().sort().to_list()
    if unknown:
        raise ExperimentError(f"unknown arm {unknown[0]!r}", mend="an arm is treatment or control")
    wrong = counts.filter((pl.col("successes") < 0) | (pl.col("successes") > pl.col("messages")))
    if wrong.height:
        row = wrong.row(0, named=True)
        raise ExperimentError(
            f"{row['template']} / {row['arm']} / {row['metric']} on {row['cohort_date']} has {row['successes']} "
            f"successes in {row['messages']} messages",
            mend="count messages that succeeded, not events",
        )
    return counts.group_by(*keys, "copy_id").agg(pl.col("messages", "successes").sum()).select(COUNTS.names())
