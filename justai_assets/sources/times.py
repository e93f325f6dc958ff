"""Event times as senders write them, in UTC microseconds."""

from __future__ import annotations

import polars as pl

from justai_assets.contract.tables import UTC_TIMESTAMP

ITERABLE = "%Y-%m-%d %H:%M:%S %z"
"""`2016-12-02 20:21:04 +00:00`: a space before the offset, whole seconds."""

_OTHERS = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %z")
"""RFC 3339 with T or a space, with a fraction, with Z or an offset."""


def utc(text: pl.Expr) -> pl.Expr:
    """A column of text as UTC timestamps; anything without an offset or out of the calendar is null.

    Formats are tried in order, each only on the rows that none before it could read: a sender keeps to one format.
    """
    return text.map_batches(_read, return_dtype=UTC_TIMESTAMP, is_elementwise=True)


def _read(text: pl.Series) -> pl.Series:
    trimmed = text.str.strip_chars()
    found = _as_datetime(trimmed, ITERABLE)
    for form in _OTHERS:
        left = found.is_null() & trimmed.is_not_null()
        count = int(left.sum())
        if not count:
            break
        if count == len(trimmed):
            found = _as_datetime(trimmed, form)
            continue
        rows = left.arg_true()
        found = found.scatter(rows, _as_datetime(trimmed.gather(rows), form))
    return found


def _as_datetime(text: pl.Series, form: str) -> pl.Series:
    return text.str.to_datetime(form, time_unit="us", strict=False).cast(UTC_TIMESTAMP)
