"""Times in every format that senders use, read as a plain coalesce of all formats would read them."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from justai_assets.contract.tables import UTC_TIMESTAMP
from justai_assets.sources.times import _OTHERS, ITERABLE, utc

DIGITS = st.integers(0, 99).map("{:02d}".format)
WRITTEN = st.builds(
    "{}-{}-{}{}{}:{}:{}{}{}".format,
    st.one_of(st.integers(1900, 2100).map(str), st.sampled_from(["0000", "9999", "26"])),
    DIGITS,
    st.integers(0, 32).map("{:02d}".format),
    st.sampled_from(["T", " ", "t", "  "]),
    st.integers(0, 25).map("{:02d}".format),
    st.integers(0, 61).map("{:02d}".format),
    st.integers(0, 61).map("{:02d}".format),
    st.sampled_from(["", ".5", ".123456", ".1234567891", "."]),
    st.sampled_from(["Z", "z", "+00:00", " +00:00", "-0530", " -05:30", "+02", "", " UTC", " Z"]),
)
SOUND = st.builds(
    lambda at, form: form(at),
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - hypothesis takes naive bounds
    st.sampled_from(
        [
            lambda at: at.strftime("%Y-%m-%d %H:%M:%S +00:00"),
            lambda at: f"{at.isoformat()}Z",
            lambda at: f" {at.isoformat(sep=' ')}+05:30 ",
            lambda at: f"{at.isoformat(sep=' ')} -0800",
        ]
    ),
)


def old_rule(text: pl.Expr) -> pl.Expr:
    """Every format on every row, the first that reads it wins."""
    trimmed = text.str.strip_chars()
    forms = (ITERABLE, *_OTHERS)
    return pl.coalesce(
        *(trimmed.str.to_datetime(form, time_unit="us", strict=False) for form in forms)
    ).cast(UTC_TIMESTAMP)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.none(), SOUND, WRITTEN, st.text(max_size=30)), max_size=12))
@example([])
@example([None, None])
@example(["2026-01-05 12:41:03 +00:00", "2026-01-05T12:41:03.000250Z", None, "yesterday"])
def test_each_text_reads_as_when_every_format_is_tried_on_it(texts: list[str | None]) -> None:
    frame = pl.LazyFrame({"text": texts}, schema={"text": pl.String})
    for engine in ("in-memory", "streaming"):
        new = frame.select(utc(pl.col("text"))).collect(engine=engine)
        assert dict(new.schema) == {"text": UTC_TIMESTAMP}
        assert new.equals(frame.select(old_rule(pl.col("text"))).collect())


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05 12:41:03 +00:00",
        "2026-01-05T12:41:03Z",
        "2026-01-05 14:41:03.000+02:00",
        "2026-01-05 07:41:03.0 -0500",
    ],
)
def test_the_four_formats_name_the_same_moment(text: str) -> None:
    read = pl.select(utc(pl.lit(f" {text} "))).item()
    assert read == datetime(2026, 1, 5, 12, 41, 3, tzinfo=UTC)
