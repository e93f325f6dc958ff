from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.attribution.attributed_day import attribute_day
from justai_assets.attribution.engine import linked_keys
from justai_assets.attribution.engine.memory_limits import Limits
from justai_assets.attribution.rule import Rule
from justai_assets.contract.tables import ATTRIBUTED_EVENTS
from justai_assets_tests.attribution.events import (
    DAY,
    MIDNIGHT,
    custom_rows,
    custom_table,
    engagement_rows,
    engagement_table,
    limits,
    rules,
)
from justai_assets_tests.attribution.oracle import judge, rows_of

E1, E2, U1, U2 = "e" * 32, "f" * 32, "1" * 32, "2" * 32


def attribute(
    engagement: list[dict[str, Any]], custom: list[dict[str, Any]], rule: Rule, **options: Any
) -> pl.DataFrame:
    chunks = list(attribute_day(engagement_table(engagement).lazy(), custom_table(custom).lazy(), DAY, rule, **options))
    for chunk in chunks:
        assert chunk.schema == ATTRIBUTED_EVENTS.schema
    return pl.concat([ATTRIBUTED_EVENTS.schema.to_frame(), *chunks])


def send(
    hours: float, message: str | None, email: str | None, user: str | None, name: str = "emailSend"
) -> dict[str, Any]:
    return {
        "event_name": name, "event_timestamp": MIDNIGHT + timedelta(hours=hours), "message_id": message,
        "template_id": "t", "campaign_id": "c", "email_key": email, "user_key": user,
    }  # fmt: skip


def purchase(hours: float, email: str | None, user: str | None) -> dict[str, Any]:
    return {
        "event_name": "purchase", "event_timestamp": MIDNIGHT + timedelta(hours=hours), "email_key": email,
        "user_key": user,
    }  # fmt: skip


def check_against_the_oracle(
    engagement: list[dict[str, Any]], custom: list[dict[str, Any]], rule: Rule, **options: Any
) -> None:
    out = attribute(engagement, custom, rule, **options).sort("source_row")
    assert out["source_row"].to_list() == list(range(len(custom))), "every custom event exactly once"
    for row, event in zip(out.iter_rows(named=True), custom, strict=True):
        verdict = judge(event, engagement, rule)
        found = (row["send_timestamp"], row["message_id"], row["template_id"], row["campaign_id"])
        assert found == (verdict.send or (None,) * 4)
        assert (row["window_hours"], row["is_attributed"], row["reason"]) == (
            verdict.window_hours, verdict.is_attributed, verdict.reason,
        )  # fmt: skip
        assert {name: row[name] for name in event} == event, "the event's own columns are untouched"
        assert row["copy_id"] == f"copy{row['source_row']}"


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(engagement_rows, custom_rows, rules, limits)
def test_every_event_gets_the_send_and_the_reason_that_looking_at_every_row_gives(
    engagement: list[dict[str, Any]], custom: list[dict[str, Any]], rule: Rule, cut: Limits
) -> None:
    check_against_the_oracle(engagement, custom, rule, limits=cut)


@settings(max_examples=20, deadline=None)
@given(engagement_rows, custom_rows, rules)
def test_the_order_of_the_rows_changes_nothing(
    engagement: list[dict[str, Any]], custom: list[dict[str, Any]], rule: Rule
) -> None:
    assert rows_of(attribute(engagement, custom, rule).drop("source_row", "copy_id")) == rows_of(
        attribute(engagement[::-1], custom[::-1], rule).drop("source_row", "copy_id")
    )


def test_a_long_chain_of_shared_keys_is_one_person() -> None:
    pairs = [(f"{n:032x}", f"{n + step:032x}") for n in range(300) for step in (0, 1)]
    engagement = [send(1, None, email, user, name="emailOpen") for email, user in pairs]
    engagement.append(send(2, "m", f"{0:032x}", None))
    assert attribute(engagement, [purchase(3, None, f"{300:032x}")], Rule())["message_id"].to_list() == ["m"]


@pytest.mark.parametrize(("microseconds", "named"), [(-1, None), (0, None), (1, "m")])
def test_a_send_exactly_72_hours_earlier_is_not_named(microseconds: int, named: str | None) -> None:
    sent = send(-60, "m", E1, None)
    sent["event_timestamp"] += timedelta(microseconds=microseconds)
    out = attribute([sent], [purchase(12, E1, None)], Rule(window_hours=24))
    assert out.select("message_id", "reason").rows() == [(named, "outside_window")]


def test_rows_of_other_days_are_not_read() -> None:
    engagement = [send(-73, "too early", E1, None), send(25, "too late", E1, None)]
    custom = [purchase(-1, E1, None), purchase(1, E1, None), purchase(24, E1, None)]
    out = attribute(engagement, custom, Rule(window_hours=72))
    assert out.select("source_row", "reason").rows() == [(1, "no_send")]


def test_a_day_without_events_yields_no_row() -> None:
    assert attribute([send(1, "m", E1, None)], [], Rule()).is_empty()
    assert attribute([], [purchase(1, E1, U1)], Rule())["reason"].to_list() == ["no_send"]


def test_nothing_is_left_on_disk_when_the_day_is_done_or_given_up_or_fails(tmp_path: Path) -> None:
    engagement, custom = [send(1, "m", E1, None)], [purchase(2, E1, None), purchase(3, E1, None)]
    cut = Limits(buckets=4, resident=1, chunk_rows=1)
    assert len(attribute(engagement, custom, Rule(), spill=tmp_path, limits=cut)) == 2
    assert list(tmp_path.iterdir()) == []
    started = attribute_day(
        engagement_table(engagement).lazy(), custom_table(custom).lazy(), DAY, Rule(), limits=cut, spill=tmp_path
    )
    next(started)
    assert list(tmp_path.rglob("*.parquet"))
    started.close()
    assert list(tmp_path.iterdir()) == []
    broken = custom_table(custom).lazy().with_columns(pl.col("event_name").str.to_integer().cast(pl.String))
    with pytest.raises(pl.exceptions.PolarsError):
        list(attribute_day(engagement_table(engagement).lazy(), broken, DAY, Rule(), spill=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_two_persons_with_the_same_64_bits_are_told_apart_under_another_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = linked_keys.key
    tried = []

    def colliding(column: str, seed: int) -> pl.Expr:
        tried.append(seed)
        return real(column, seed) & 1 if seed < 16 else real(column, seed)

    monkeypatch.setattr(linked_keys, "key", colliding)
    engagement = [send(1, f"m{n}", f"{n:032x}", None) for n in range(9)]
    out = attribute(engagement, [purchase(2, f"{n:032x}", None) for n in range(9)], Rule()).sort("source_row")
    assert out["message_id"].to_list() == [f"m{n}" for n in range(9)]
    assert max(tried) > 16


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 14), st.integers(0, 2), st.booleans()), min_size=20, max_size=60),
    st.lists(st.tuples(st.sampled_from([*range(16), None]), st.sampled_from([*range(3), None]), st.booleans()), max_size=9),
    limits,
)  # fmt: skip
def test_shared_keys_on_both_sides_give_what_looking_at_every_row_gives(
    linked: list[tuple[int, int, bool]], bought: list[tuple[int | None, int | None, bool]], cut: Limits
) -> None:
    def keys(many: int | None, few: int | None, turned: bool) -> tuple[str | None, str | None]:
        found = (None if many is None else f"{many:032x}", None if few is None else f"{few + 100:032x}")
        return found[::-1] if turned else found

    engagement = [send(1 + n % 5, f"m{n % 7}", *keys(*one)) for n, one in enumerate(linked)]
    custom = [purchase(2 + n % 6, *keys(*one)) for n, one in enumerate(bought)]
    out = attribute(engagement, custom, Rule(), limits=cut).sort("source_row")
    for row, event in zip(out.iter_rows(named=True), custom, strict=True):
        verdict = judge(event, engagement, Rule())
        assert (row["message_id"], row["reason"]) == (verdict.send[1] if verdict.send else None, verdict.reason)
