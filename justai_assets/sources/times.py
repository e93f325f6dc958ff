"""Event times as senders write them, in UTC microseconds."""

from __future__ import annotations

import polars as pl

from justai_assets.contract.tables import UTC_TIMESTAMP

ITERABLE = "%Y-%m-%d %H:%M:%S %z"
"""`2016-12-02 20:21:04 +00:00`: a space before the offset, whole seconds."""

_OTHERS = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %z")
"""RFC 3339 with T or a space, with a fraction, with Z or an offset."""


def utc(text: pl.Expr) -> pl.Expr:
    """A column of text as UTC timestamps; anything without an offset or out of the calendar is null."""
    trimmed = text.str.strip_chars()
    first = trimmed.str.to_datetime(ITERABLE, time_unit="us", strict=False)
    others = [trimmed.str.to_datetime(form, time_unit="us", strict=False) for form in _OTHERS]
    return pl.coalesce(first, *others).cast(UTC_TIMESTAMP)
