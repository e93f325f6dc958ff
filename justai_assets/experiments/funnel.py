"""The funnel: how many messages were sent, opened, clicked, converted and unsubscribed, by send day."""

from __future__ import annotations

from typing import Final

import polars as pl

from justai_assets.experiments.copy_daily import ANY_CONVERSION, MACHINE_OPEN
from justai_assets.experiments.metric_names import CLICK, OPEN, UNSUBSCRIBE

FUNNEL: Final = pl.Schema(
    {
        "template": pl.String(),
        "arm": pl.String(),
        "cohort_date": pl.Date(),
        "sent": pl.Int64(),
        "opened": pl.Int64(),
        "machine_opened": pl.Int64(),
        "clicked": pl.Int64(),
        "converted": pl.Int64(),
        "unsubscribed": pl.Int64(),
    }
)
"""Messages by template, arm and send day; template and arm null: those of all templates, each counted once however many
of them it belongs to. machine_opened: by machines only, null where unknown; converted: by any custom event within the
org's own window for its name."""


def funnel_of(rows: pl.DataFrame) -> pl.DataFrame:
    """FUNNEL, by template, arm and send day, out of COPY_DAILY."""
    steps = {
        OPEN: "opened",
        MACHINE_OPEN: "machine_opened",
        CLICK: "clicked",
        ANY_CONVERSION: "converted",
        UNSUBSCRIBE: "unsubscribed",
    }
    of = pl.col("metric")
    # Copies of an arm are other messages: their counts may be added up.
    wide = rows.group_by("template", "arm", "send_date").agg(
        pl.col("messages").filter(of == OPEN).sum().alias("sent"),
        *(
            pl.when(pl.col("successes").filter(of == metric).null_count() == 0)
            .then(pl.col("successes").filter(of == metric).sum())
            .alias(name)
            for metric, name in steps.items()
        ),
    )
    found = wide.rename({"send_date": "cohort_date"})
    return found.select(pl.col(name).cast(dtype) for name, dtype in FUNNEL.items()).sort(
        "template", "arm", "cohort_date"
    )
