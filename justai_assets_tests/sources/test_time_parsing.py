"""Times in every format that senders use."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from justai_assets.sources import time_parsing as times
from justai_assets.sources.time_parsing import utc


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


@pytest.mark.parametrize("text", [None, "", "yesterday", "2026-01-05 12:41:03", "2026-02-30T12:41:03Z"])
def test_what_has_no_offset_or_is_no_date_is_null(text: str | None) -> None:
    assert pl.select(utc(pl.lit(text, pl.String))).item() is None


def test_one_column_may_hold_every_format() -> None:
    forms = ["2026-01-05T12:41:03Z", None, "2026-01-05 07:41:03.0 -0500", "", "2026-01-05 12:41:03 +00:00", "-"]
    read = pl.DataFrame({"text": forms * 2}).select(utc(pl.col("text"))).to_series()
    moment = datetime(2026, 1, 5, 12, 41, 3, tzinfo=UTC)
    assert read.to_list() == [moment, None, moment, None, moment, None] * 2


WRITTEN = st.builds(
    "{}{}{}{}{}".format,
    st.dates().map(str) | st.just("2026-2-3"),
    st.sampled_from([" ", "T", "t", "  "]),
    st.sampled_from(["00:00:00", "12:41:03", "23:59:60", "24:00:00", "1:2:3", "12:41"]),
    st.sampled_from(["", ".0", ".5", ".123456", ".1234567", ".123456789", ","]),
    st.sampled_from(["", "Z", "z", " Z", "+02:00", " +02:00", "-0530", " -0530", "+02", " +02", "+23:59", " UTC"]),
)


@given(st.lists(WRITTEN, min_size=1, max_size=8))
def test_a_text_reads_the_same_by_every_form_and_beside_every_other(texts: list[str]) -> None:
    together = pl.DataFrame({"text": texts}).select(utc(pl.col("text"))).to_series()
    for text, read in zip(texts, together, strict=True):
        by_form = {times._read(pl.Series([text]), form).item() for form in times._FORMS}
        assert by_form - {None} == {read} - {None}
