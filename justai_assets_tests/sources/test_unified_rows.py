from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from justai_assets.contract.tables import UTC_TIMESTAMP
from justai_assets.landing.parquet import UNDECODABLE
from justai_assets.sources.unified_rows import judged, typed_unified

DAY = date(2026, 1, 2)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
plain = st.text("abcXYZ019_-", max_size=12)
odd = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "",
            " ",
            "me@example.com",
            "a%40b",
            "10.0.0.1",
            "::1",
            "+1 555 123 4567",
            "{1}",
            "[x",
            "x" * 257,
            "ü",
            "a\n",
            "\n",
        ]
    ),
)
moments = st.one_of(st.none(), st.integers(-30, 30).map(lambda hours: NOON + timedelta(hours=hours)))
SCHEMA = {
    "source_row": pl.Int64,
    "event_timestamp": UTC_TIMESTAMP,
    "event_name": pl.String,
    "message_id": pl.String,
    "template_id": pl.String,
    "campaign_id": pl.String,
    "source_file": pl.String,
    UNDECODABLE: pl.Boolean,
}


def rows_of(text: st.SearchStrategy[str]) -> st.SearchStrategy[list[tuple[object, ...]]]:
    ids = st.one_of(st.none(), text)
    names = st.one_of(st.none(), text, st.sampled_from(["emailUnSubscribe", "emailSend"]))
    return st.lists(
        st.tuples(
            st.just(0), moments, names, ids, ids, ids, st.just("f"), st.sampled_from([False, False, False, True])
        ),
        max_size=6,
    )


@given(st.one_of(rows_of(plain), rows_of(odd)), st.sampled_from([DAY, None]))
def test_the_short_way_gives_the_verdict_of_the_full_one(rows: list[tuple[object, ...]], day: date | None) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row").lazy()
    full = typed_unified(frame, day).collect()
    assert_frame_equal(judged(frame, day).collect(), full, check_column_order=False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"event_name": None}, "missing_event_name"),
        ({"event_timestamp": None}, "bad_timestamp"),
        ({"event_timestamp": NOON + timedelta(hours=12)}, "outside_day"),
        ({"event_timestamp": NOON + timedelta(hours=12) - timedelta(microseconds=1)}, None),
        ({"message_id": "me@example.com"}, "personal_data_in_identifier"),
        ({"campaign_id": "x" * 257}, "identifier_too_long"),
        ({UNDECODABLE: True}, "invalid_utf8"),
    ],
)
def test_each_row_is_accepted_or_refused_for_a_reason(change: dict[str, object], reason: str | None) -> None:
    row = {
        "source_row": 3,
        "event_timestamp": NOON,
        "event_name": "emailSend",
        "message_id": "m",
        "source_file": "f",
        UNDECODABLE: False,
    }
    frame = pl.DataFrame([{**row, **change}], schema=SCHEMA).lazy()
    assert judged(frame, DAY).collect()["reason"].item() == reason
