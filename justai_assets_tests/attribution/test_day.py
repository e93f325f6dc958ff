from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.attribution import identity
from justai_assets.attribution.day import attribute_day
from justai_assets.attribution.limits import Limits
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


def test_a_user_id_event_matches_a_send_by_email_through_an_open_that_carries_both() -> None:
    engagement = [send(1, "m", E1, None), send(2, "m", E1, U1, name="emailOpen")]
    out = attribute(engagement, [purchase(3, None, U1)], Rule())
    assert out["message_id"].to_list() == ["m"]
    assert attribute(engagement[:1], [purchase(3, None, U1)], Rule())["reason"].to_list() == ["no_send"]


def test_an_event_with_keys_of_two_persons_takes_the_later_send_and_links_nobody() -> None:
    engagement = [send(1, "by_email", E1, None), send(2, "by_user", None, U1)]
    out = attribute(engagement, [purchase(3, E1, U1), purchase(4, E1, None)], Rule()).sort("event_timestamp")
    assert out["message_id"].to_list() == ["by_user", "by_email"]


def test_a_long_chain_of_shared_keys_is_one_person() -> None:
    pairs = [(f"{n:032x}", f"{n + step:032x}") for n in range(300) for step in (0, 1)]
    engagement = [send(1, None, email, user, name="emailOpen") for email, user in pairs]
    engagement.append(send(2, "m", f"{0:032x}", None))
    assert attribute(engagement, [purchase(3, None, f"{300:032x}")], Rule())["message_id"].to_list() == ["m"]


def test_equal_digits_of_an_email_key_and_a_user_key_are_two_people() -> None:
    assert attribute([send(1, "m", E1, None)], [purchase(2, None, E1)], Rule())["reason"].to_list() == ["no_send"]


def test_a_send_between_the_window_and_72_hours_is_named_but_not_attributed() -> None:
    out = attribute([send(-30, "m", E1, None)], [purchase(1, E1, None)], Rule(window_hours=24))
    assert out.select("message_id", "is_attributed", "reason").rows() == [("m", False, "outside_window")]


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
    real = identity.key
    tried = []

    def colliding(column: str, seed: int) -> pl.Expr:
        tried.append(seed)
        return real(column, seed) & 1 if seed < 16 else real(column, seed)

    monkeypatch.setattr(identity, "key", colliding)
    engagement = [send(1, f"m{n}", f"{n:032x}", None) for n in range(9)]
    out = attribute(engagement, [purchase(2, f"{n:032x}", None) for n in range(9)], Rule()).sort("source_row")
    assert out["message_id"].to_list() == [f"m{n}" for n in range(9)]
    assert max(tried) > 16


def test_a_key_that_more_than_ten_share_is_nobodys() -> None:
    many = [send(1, f"m{n}", f"{n:032x}", U1) for n in range(11)]
    few = [send(1, f"n{n}", f"{n + 50:032x}", U2) for n in range(10)]
    office = [send(1, f"o{n}", E1, f"{n:032x}") for n in range(11)]
    custom = [
        purchase(2, f"{3:032x}", None), purchase(3, None, U1), purchase(4, "a" * 32, U1), purchase(5, None, U2),
        purchase(6, E1, f"{4:032x}"), purchase(7, E1, None),
    ]  # fmt: skip
    shared: dict[str, tuple[int, int]] = {}
    out = attribute([*many, *few, *office, send(1, "nobody", None, U1)], custom, Rule(), shared=shared)
    out = out.sort("event_timestamp")
    assert out["message_id"].to_list() == ["m3", None, None, "n9", "o4", None]
    assert out["reason"].to_list() == [None, "no_identity", "no_send", None, None, "no_identity"]
    assert out["user_key"].to_list() == [None, None, None, U2, f"{4:032x}", None]
    assert shared == {"email": (2, 11), "user id": (2, 11)}


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
