from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from justai_assets.contract.event_times import parse_time
from justai_assets.sources.time_parsing import utc


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05 12:41:03 +00:00", "2026-01-05T12:41:03+00:00"),
        ("2026-01-05 23:41:03 -02:30", "2026-01-06T02:11:03+00:00"),
        ("2026-01-05T12:41:03Z", "2026-01-05T12:41:03+00:00"),
        ("2026-01-05T12:41:03.123Z", "2026-01-05T12:41:03.123000+00:00"),
        ("2026-01-05T12:41:03.5z", "2026-01-05T12:41:03.500000+00:00"),
        ("2026-01-05 12:41:03.5 +05:30", "2026-01-05T07:11:03.500000+00:00"),
        ("2026-01-05T23:59:59.999999999Z", "2026-01-05T23:59:59.999999+00:00"),
        ("2026-01-05T12:41:03+0530", "2026-01-05T07:11:03+00:00"),
        ("2026-01-05T12:41:03+05", "2026-01-05T07:41:03+00:00"),
        ("2026-12-31T23:59:60Z", "2027-01-01T00:00:00+00:00"),
        (" 2026-01-05 12:41:03 +00:00 ", "2026-01-05T12:41:03+00:00"),
    ],
)
def test_times_are_read_as_senders_write_them(text: Any, expected: str) -> None:
    parsed = parse_time(text)
    assert parsed is not None
    assert parsed.isoformat() == expected


@pytest.mark.parametrize(
    "text",
    [
        None,
        True,
        1767616863,
        1767616863500.0,
        "1767616863",
        "2026-01-05 12:41:03",
        "2026-01-05 12:41:03 UTC",
        "2026-01-05T12:41:03,5Z",
        "2026-01-05t12:41:03Z",
        "",
        "yesterday",
        "2026-01-05",
        "2026-13-05 12:41:03 +00:00",
        "2026-02-30T00:00:00Z",
        [],
        {},
        1e300,
        "2026-01-05 25:41:03 +00:00",
        "2026-01-05 12:41:03 +99:00",
        "٢٠٢٦-01-05 12:41:03 +00:00",
        "0001-01-01T00:00:00+14",
        "2026-01-05 12:41:03 +00:00 ; drop",
        "2026-01-05T12:41:03Z\x00",
        -1e18,
        float("inf"),
    ],
)
def test_what_is_no_time_is_none(text: Any) -> None:
    assert parse_time(text) is None


@given(
    st.datetimes(datetime(1971, 1, 2), datetime(9998, 1, 1)),  # noqa: DTZ001 - the zone comes next
    st.integers(-14 * 60, 14 * 60),
    st.sampled_from(["%Y-%m-%d %H:%M:%S ", "%Y-%m-%dT%H:%M:%S"]),
)
def test_any_offset_names_the_same_moment(naive: datetime, minutes: int, form: str) -> None:
    moment = naive.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    sign = "-" if minutes < 0 else "+"
    text = f"{moment.strftime(form)}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    assert parse_time(text) == moment


@given(st.text(max_size=40) | st.integers() | st.floats())
def test_no_text_or_number_breaks_the_parser(value: Any) -> None:
    parsed = parse_time(value)
    assert parsed is None or parsed.utcoffset() == timedelta(0)


@given(
    st.lists(
        st.builds(
            "{}-{}-{}{}{}:{}:{}{}{}".format,
            st.sampled_from(["2026", "1999", "0001", "9999", "26"]),
            st.sampled_from(["01", "02", "12", "13", "1"]),
            st.sampled_from(["01", "29", "31", "00"]),
            st.sampled_from([" ", "T", "t", "  "]),
            st.sampled_from(["00", "23", "24"]),
            st.sampled_from(["00", "59", "60"]),
            st.sampled_from(["00", "59", "60", "61"]),
            st.sampled_from(["", ".5", ".999999999", ".1234567891", ",5", "."]),
            st.sampled_from(["Z", "z", " +00:00", "+0530", "-14:00", " -05", "", " UTC", "+24:00", " Z"]),
        ),
        min_size=20,
        max_size=60,
    )
)
def test_the_reader_of_the_landing_zone_finds_the_same_moment(texts: list[str]) -> None:
    read = pl.DataFrame({"text": texts}).select(utc(pl.col("text")).cast(pl.Int64)).to_series()
    for text, microseconds in zip(texts, read, strict=True):
        parsed = parse_time(text)
        if parsed is not None:
            assert microseconds == (parsed - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1), text


@pytest.mark.parametrize("offset", ["+05:60", "+0560", "-00:99"])
def test_an_offset_of_sixty_minutes_names_no_moment_for_writer_and_reader_alike(offset: str) -> None:
    text = f"2026-01-05T12:41:03{offset}"
    assert parse_time(text) is None
    assert pl.DataFrame({"at": [text]}).select(utc(pl.col("at")))["at"].to_list() == [None]
