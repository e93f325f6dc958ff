"""Random events that sit on the edges: few people, few ids, times on and beside the window's ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import strategies as st

from justai_assets.attribution.engine.memory_limits import Limits
from justai_assets.attribution.rule import Rule
from justai_assets.contract.tables import CUSTOM_EVENTS, ESP_EVENTS

DAY = date(2026, 3, 10)
MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)

ids = st.sampled_from(["a", "b", "B", "aa", "é", "", None])
names = st.sampled_from(["emailSend", "emailSend", "smsSend", "pushSend", "emailOpen", "purchase"])
custom_names = st.sampled_from(["purchase", "signup", "page_view"])
windows = st.dictionaries(
    st.sampled_from(["purchase", "signup", "nothing"]), st.sampled_from([1, 24, 48, 72]), max_size=2
)
rules = st.builds(
    Rule,
    window_hours=st.sampled_from([1, 24, 30, 72]),
    windows=windows,
    send_events=st.sampled_from([("emailSend",), ("emailSend", "smsSend", "pushSend"), ("purchase",)]),
)

limits = st.sampled_from(
    [
        Limits(copy_rows=0),
        Limits(buckets=1, resident=1, chunk_rows=2, copy_rows=0),
        Limits(buckets=4, resident=1, chunk_rows=1, workers=2, copy_rows=1_000_000),
        Limits(buckets=32, resident=200, chunk_rows=3, workers=2, copy_rows=2),
        Limits(buckets=256, workers=2, copy_rows=1_000_000),
    ]
)
"""The engine cut in many ways: one bucket and many, everything spilled and nothing, row groups copied and rewritten."""


def times(first_hour: int, last_hour: int) -> st.SearchStrategy[datetime]:
    """Whole 6 hours from `first_hour` to `last_hour` around the day's midnight, give or take a microsecond."""
    grid = st.sampled_from(range(first_hour, last_hour, 6))
    return st.builds(
        lambda hour, beside: MIDNIGHT + timedelta(hours=hour, microseconds=beside), grid, st.sampled_from([0, 0, -1, 1])
    )


def rows(columns: dict[str, st.SearchStrategy[Any]], most: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows of independent columns, some of them repeated as they are."""
    row = st.fixed_dictionaries(columns)
    return st.lists(row, max_size=most).flatmap(
        lambda some: (
            st.lists(st.sampled_from(some), max_size=3).map(lambda again: some + again) if some else st.just(some)
        )
    )


users = st.sampled_from(["u1", "u2", "u3", "u3", None])
esp_files = rows(
    {"event_name": names, "event_timestamp": times(-96, 48), "message_id": ids, "template_id": ids,
     "campaign_id": ids, "user_id": users},
    14,
)  # fmt: skip
custom_files = rows({"event_name": custom_names, "event_timestamp": times(-48, 54), "user_id": users}, 10)

keys = st.sampled_from(["0" * 32, "1" * 32, "2" * 32, "3" * 32, None])
engagement_rows = rows(
    {"event_name": names, "event_timestamp": times(-66, 24), "message_id": ids, "template_id": ids,
     "campaign_id": ids, "email_key": keys, "user_key": keys},
    14,
)  # fmt: skip
custom_rows = rows(
    {"event_name": custom_names, "event_timestamp": times(6, 24), "email_key": keys, "user_key": keys}, 8
)

ESP_FILE = pl.Schema(
    {"event_name": pl.String(), "event_timestamp": pl.Datetime("us", "UTC"), "message_id": pl.String(),
     "template_id": pl.String(), "campaign_id": pl.String(), "user_id": pl.String()}
)  # fmt: skip
CUSTOM_FILE = pl.Schema({name: ESP_FILE[name] for name in ("event_name", "event_timestamp", "user_id")})


def esp_file(some: list[dict[str, Any]]) -> pl.DataFrame:
    """A frame as `justai attribute --esp` reads it."""
    return pl.DataFrame(some, schema=ESP_FILE)


def custom_file(some: list[dict[str, Any]]) -> pl.DataFrame:
    """A frame as `justai attribute --custom` reads it."""
    return pl.DataFrame(some, schema=CUSTOM_FILE)


def engagement_table(some: list[dict[str, Any]]) -> pl.DataFrame:
    """ESP_EVENTS rows, with what attribution does not look at filled in."""
    filled = [
        {"event_id": f"e{n}", "raw_event_name": row["event_name"], "event_date": row["event_timestamp"].date(),
         "is_machine": False, "door": "iterable_webhooks", **row}
        for n, row in enumerate(some)
    ]  # fmt: skip
    return pl.DataFrame(filled, schema=ESP_EVENTS.schema)


def custom_table(some: list[dict[str, Any]]) -> pl.DataFrame:
    """CUSTOM_EVENTS rows, each with its own source_row."""
    filled = [
        {"event_date": row["event_timestamp"].date(), "door": "redshift", "source_file": "a.parquet", "source_row": n,
         "template_id": "own", "copy_id": f"copy{n}", **row}
        for n, row in enumerate(some)
    ]  # fmt: skip
    return pl.DataFrame(filled, schema=CUSTOM_EVENTS.schema)
