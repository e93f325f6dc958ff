"""What is right, said twice and slowly: the documented SQL in DuckDB, and the rule spelled out in plain Python.

The SQL is the product documentation's, with its slips mended: see `benchmarks/documented_sql`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import duckdb
import polars as pl

from benchmarks.documented_sql import documented_sql
from justai_assets.attribution.rule import Rule
from justai_assets.contract.events import MOST_LINKED


def unified_by_sql(esp: pl.DataFrame, custom: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """The unified stream of two frames with the columns of `justai attribute`, by the documented SQL."""
    naive = pl.col("event_timestamp").cast(pl.Datetime("us"))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("esp", esp.with_columns(naive).to_arrow())
        connection.register("custom", custom.with_columns(naive).to_arrow())
        return pl.DataFrame(connection.sql(documented_sql(rule)).to_arrow_table())


def rows_of(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The rows as a sorted list: a multiset that compares by value, with timestamps as naive UTC."""
    frame = frame.with_columns(pl.col(pl.Datetime).cast(pl.Datetime("us")))
    return sorted(frame.rows(), key=lambda row: tuple((value is not None, str(value)) for value in row))


@dataclass(frozen=True)
class Verdict:
    """What the rule says of one custom event."""

    window_hours: int
    send: tuple[Any, ...] | None
    is_attributed: bool
    reason: str | None


def judge(custom: dict[str, Any], engagement: Iterable[dict[str, Any]], rule: Rule) -> Verdict:
    """One custom event against every engagement event of its window, by looking at each."""
    rows = list(engagement)
    nobody = shared_keys(rows)
    rows = [_named(row, nobody) for row in rows]
    custom = _named(custom, nobody)
    window = rule.window_for(custom["event_name"])
    own = keys_of(custom)
    if not own:
        return Verdict(window, None, is_attributed=False, reason="no_identity")
    mine = set().union(*(person_of(key, rows) for key in own))
    prior = [
        (row["event_timestamp"], row["message_id"], row["template_id"], row["campaign_id"])
        for row in rows
        if row["event_name"] in rule.send_events
        and row["event_timestamp"] <= custom["event_timestamp"]
        and keys_of(row) & mine
    ]
    if not prior:
        return Verdict(window, None, is_attributed=False, reason="no_send")
    best = max(prior, key=_rank)
    age = custom["event_timestamp"] - best[0]
    attributed = age < timedelta(hours=window)
    return Verdict(
        window,
        best if age < timedelta(hours=72) else None,
        is_attributed=attributed,
        reason=None if attributed else "outside_window",
    )


def keys_of(row: dict[str, Any]) -> set[tuple[str, str]]:
    """The keys a row carries, each with its namespace."""
    return {(name, row[name]) for name in ("email_key", "user_key") if row[name] is not None}


def person_of(key: tuple[str, str], engagement: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Every key that engagement rows with two keys tie to this one, directly or through others."""
    person = {key}
    while True:
        grown = person.union(*(keys_of(row) for row in engagement if keys_of(row) & person))
        if grown == person:
            return person
        person = grown


def shared_keys(engagement: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """The keys that more than ten keys of the other kind occur with."""
    found = set()
    for name, other in (("email_key", "user_key"), ("user_key", "email_key")):
        pairs = {(row[name], row[other]) for row in engagement if None not in (row[name], row[other])}
        found |= {(name, key) for key, many in Counter(key for key, _ in pairs).items() if many > MOST_LINKED}
    return found


def _named(row: dict[str, Any], nobody: set[tuple[str, str]]) -> dict[str, Any]:
    return row | {name: None for name in ("email_key", "user_key") if (name, row[name]) in nobody}


def _rank(send: tuple[Any, ...]) -> tuple[Any, ...]:
    ids = tuple((value is not None, (value or "").encode()) for value in send[1:])
    return (send[0], *ids)
