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
    """Each text by a form that reads it, whichever: they do not contradict each other.

    A column has one form nearly always: that of its first text goes first, the others read what is left.
    """
    first = texts.drop_nulls().head(1)
    forms = sorted(_FORMS, key=lambda form: _read(first, form).null_count())
    found = _read(texts, forms[0])
    for form in forms[1:]:
        left = (found.is_null() & texts.is_not_null()).arg_true()
        if left.is_empty():
            break
        found = found.scatter(left, _read(texts.gather(left), form))
    return found


def _read(texts: pl.Series, form: str) -> pl.Series:
    return texts.str.to_datetime(form, time_unit="us", strict=False).cast(UTC_TIMESTAMP)
