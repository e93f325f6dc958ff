"""Values of declared columns, judged before they are trusted: numbers for what they can be, text for personal data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from justai_assets.orgs.extra_columns import VALUE, Kind
from justai_assets.sources.identifier_privacy import refusal
from justai_assets.sources.row_reason import REASON, when
from justai_assets.sources.webhook_rows import present

AT_FAULT: Final = "_at_fault"
"""Column: the declared column for which the row is refused; null for any other reason."""

MAX_NUMBER: Final = 1e12
"""A million million: beyond it, a number is an id, a time or an overflow."""


def judged_extra(rows: pl.LazyFrame, columns: Mapping[str, Kind], personal: Iterable[str] = ()) -> pl.LazyFrame:
    """Rows that are refused for a declared column, too: `reason`, where there was none, and AT_FAULT.

    Args:
        rows: with `reason` and the declared columns, numbers as floats.
        columns: name → kind; without any, the rows are returned as they are.
        personal: text columns of the rows that hold personal data, for comparison with declared text.

    Text is trimmed, and blank text is null. A text is refused as a published name or id is (`privacy.refusal`). A
    number is refused when it is not finite or beyond ±MAX_NUMBER, and `value` when it is negative. A row is refused
    whole: a purchase without its amount would count as a purchase of nothing.
    """
    if not columns:
        return rows
    texts = [name for name, kind in columns.items() if kind == "text"]
    rows = rows.with_columns(present(pl.col(name)).alias(name) for name in texts)
    found = {name: refusal((name,), tuple(personal)) for name in texts}
    found |= {name: _number(name) for name in columns if name not in texts}
    is_free = pl.col(REASON).is_null()
    at_fault = pl.coalesce(pl.when(reason.is_not_null()).then(pl.lit(name)) for name, reason in found.items())
    return rows.with_columns(
        pl.coalesce(REASON, *found.values()).alias(REASON), pl.when(is_free).then(at_fault).alias(AT_FAULT)
    )


def _number(name: str) -> pl.Expr:
    number = pl.col(name)
    bad = when(~number.is_finite() | (number.abs() > MAX_NUMBER), "bad_number")
    return pl.coalesce(bad, when(number < 0, "negative_value")) if name == VALUE else bad


def faults(rows: pl.LazyFrame) -> list[tuple[str, str]]:
    """The reasons and columns for which rows of `judged_extra` are refused, sorted."""
    if AT_FAULT not in rows.collect_schema():
        return []
    found = rows.filter(pl.col(AT_FAULT).is_not_null()).select(REASON, AT_FAULT).unique()
    return sorted(found.collect(engine="streaming").rows())
