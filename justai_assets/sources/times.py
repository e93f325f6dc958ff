"""Event times as senders write them, in UTC microseconds."""

from __future__ import annotations

import polars as pl

from justai_assets.contract.tables import UTC_TIMESTAMP

_FORMS = ("%Y-%m-%d %H:%M:%S %z", "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %z")
"""Iterable's `2016-12-02 20:21:04 +00:00`, with a space before the offset and whole seconds; then RFC 3339 with T or a
space, with a fraction, with Z or an offset."""


def utc(text: pl.Expr) -> pl.Expr:
    """A column of text as UTC timestamps; anything without an offset or out of the calendar is null."""
    return text.str.strip_chars().map_batches(_utc, return_dtype=UTC_TIMESTAMP, is_elementwise=True)


def _utc(texts: pl.Series) -> pl.Series:
    """Each text by the first form that reads it. A column has one form nearly always: the others read what is left."""
    found = pl.Series(texts.name, [None], dtype=UTC_TIMESTAMP).new_from_index(0, len(texts))
    left = texts.is_not_null()
    for form in _FORMS:
        if not left.any():
            break
        at = left.arg_true()
        found = found.scatter(
            at, texts.gather(at).str.to_datetime(form, time_unit="us", strict=False).cast(UTC_TIMESTAMP)
        )
        left &= found.is_null()
    return found
