"""attribution_metrics: every event counted once per window, conversions where their send is inside it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTION_METRICS, UNIFIED_EVENTS
from justai_assets.experiments.attribution_metrics import build_metrics, day_metrics, windows_of
from justai_assets.orgs.org_model import Attribution
from justai_assets_tests.world import UNIFIED_ORG, World

DAY = date(2026, 1, 5)
AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
UTC_TIME = pl.Datetime("us", "UTC")
ENGAGEMENT = {"event_name": pl.String, "message_id": pl.String, "template_id": pl.String, "campaign_id": pl.String,
              "is_machine": pl.Boolean}  # fmt: skip
CUSTOM = {"event_name": pl.String, "event_timestamp": UTC_TIME, "send_timestamp": UTC_TIME, "message_id": pl.String,
          "template_id": pl.String, "campaign_id": pl.String}  # fmt: skip
ARM = ("m", "501", "9001")


def engaged(
    name: str, message: str | None = "m", template: str | None = "501", machine: bool | None = False
) -> tuple[Any, ...]:
    return (name, message, template, "9001" if template else None, machine)


def converted(age: timedelta | None, name: str = "purchase", arm: tuple[str | None, ...] = ARM) -> tuple[Any, ...]:
    return (name, AT, None if age is None else AT - age, *(arm if age is not None else (None,) * 3))


def metrics(
    engagement: list[tuple[Any, ...]],
    custom: list[tuple[Any, ...]],
    windows: tuple[int, ...] = (24, 48, 72),
    **more: Any,
) -> pl.DataFrame:
    found = day_metrics(
        pl.LazyFrame(engagement, schema=ENGAGEMENT, orient="row"),
        pl.LazyFrame(custom, schema=CUSTOM, orient="row"),
        DAY,
        windows,
        **more,
    )
    assert found.schema == ATTRIBUTION_METRICS.schema
    return found


def test_a_name_that_the_org_counts_as_a_send_is_no_open_besides() -> None:
    rows = metrics([engaged("inAppOpen"), engaged("emailOpen")], [], send_events=["inAppOpen"])
    assert rows.select("sends", "opens").unique().rows() == [(1, 1)]


def test_a_template_and_campaign_have_their_counts_on_every_row() -> None:
    rows = metrics(
        [engaged("emailSend"), engaged("emailSend", "n"), engaged("emailOpen", machine=True), engaged("emailOpen"),
         engaged("emailClick"), engaged("emailUnsubscribe"), engaged("hostedUnsubscribeClick"),
         engaged("emailSend", "o", "502")],
        [],
        (24,),
    )  # fmt: skip
    of = {(row["template_id"], row["event_name"]): row for row in rows.to_dicts()}
    sends = of["501", "emailSend"]
    assert (sends["events"], sends["messages"], sends["attributed_conversions"]) == (2, 2, 0)
    for name in ("emailSend", "emailOpen", "emailClick", "emailUnsubscribe", "hostedUnsubscribeClick"):
        counts = [of["501", name][key] for key in ("sends", "opens", "machine_opens", "clicks", "unsubscribes")]
        assert counts == [2, 2, 1, 1, 1]
    assert of["502", "emailSend"]["sends"] == 1


@pytest.mark.parametrize("window", [24, 48, 72])
@pytest.mark.parametrize(
    ("past", "is_inside"),
    [
        (timedelta(microseconds=-1), True),
        (timedelta(), False),
        (timedelta(microseconds=1), False),
    ],
)
def test_a_send_exactly_a_window_before_is_outside(window: int, past: timedelta, is_inside: bool) -> None:
    (row,) = metrics([], [converted(timedelta(hours=window) + past)], (window,)).to_dicts()
    assert row["attributed_conversions"] == int(is_inside)
    assert row["template_id"] == ("501" if is_inside else None)
    assert (row["events"], row["messages"]) == (1, int(is_inside))


def test_a_send_at_the_very_moment_counts_and_one_a_microsecond_later_does_not() -> None:
    at_once, later = (metrics([], [converted(timedelta(microseconds=age))], (24,)).to_dicts()[0] for age in (0, -1))
    assert (at_once["attributed_conversions"], later["attributed_conversions"]) == (1, 0)
    assert later["template_id"] is None


def test_machine_opens_are_unknown_where_nobody_can_know() -> None:
    unknown = metrics([engaged("emailOpen", machine=None)], [], (24,))
    assert unknown["machine_opens"].to_list() == [None]
    known = metrics([engaged("emailOpen", machine=None), engaged("emailOpen", "n", machine=True)], [], (24,))
    assert set(known["machine_opens"]) == {1}


def test_a_bots_click_is_no_machine_open() -> None:
    rows = metrics([engaged("emailClick", machine=True), engaged("emailOpen")], [], (24,))
    assert set(rows["machine_opens"]) == {0}
    assert set(rows["clicks"]) == {1}


def test_an_orgs_own_send_event_counts_as_a_send() -> None:
    rows = metrics([engaged("letterSend")], [], (24,), send_events=("letterSend",))
    assert rows["sends"].to_list() == [1]


def test_a_day_of_nothing_has_no_rows() -> None:
    assert metrics([], []).is_empty()


NAMES = st.sampled_from(["emailSend", "emailOpen", "emailClick", "emailUnsubscribe", "other"])
IDS = st.sampled_from(["a", "b", None])
ENGAGED = st.lists(st.tuples(NAMES, IDS, IDS, IDS, st.sampled_from([True, False, None])), max_size=12)
AGES = st.none() | st.integers(0, 73 * 3600).map(lambda seconds: timedelta(seconds=seconds))
CONVERTED = st.lists(
    st.builds(converted, AGES, st.sampled_from(["purchase", "signup"]), st.tuples(IDS, IDS, IDS)), max_size=12
)


@settings(deadline=None, max_examples=50)
@given(ENGAGED, CONVERTED)
def test_for_each_window_the_events_of_a_name_are_all_events_of_that_name(
    engagement: list[tuple[Any, ...]], custom: list[tuple[Any, ...]]
) -> None:
    rows = metrics(engagement, custom)
    for window in (24, 48, 72):
        mine = rows.filter(window_hours=window)
        assert not mine.select("template_id", "campaign_id", "event_name").is_duplicated().any()
        for name in {row[0] for row in [*engagement, *custom]}:
            expected = sum(row[0] == name for row in [*engagement, *custom])
            assert mine.filter(event_name=name)["events"].sum() == expected
        inside = sum(row[2] is not None and row[1] - row[2] < timedelta(hours=window) for row in custom)
        assert mine["attributed_conversions"].sum() == inside
    widening = [rows.filter(window_hours=window)["attributed_conversions"].sum() for window in (24, 48, 72)]
    assert widening == sorted(widening)


def test_the_windows_are_the_fixed_ones_and_the_orgs_own() -> None:
    assert windows_of(Attribution()) == (24, 48, 72)
    assert windows_of(Attribution(window_hours=36, windows={"purchase": 6, "signup": 72})) == (6, 24, 36, 48, 72)


def unified(world: World, *rows: tuple[str, datetime, str | None]) -> dict[tuple[date, str, int], int]:
    """Write unified rows, build metrics; (day, name, window) → conversions attributed."""
    org = world.add_org(UNIFIED_ORG, slug="acme")
    days = Days(DAY, DAY + timedelta(days=4))
    schema = {name: dtype for name, dtype in UNIFIED_EVENTS.schema.items() if name != "event_date"}
    records = [
        (name, at, message, "501" if message else None, "9001" if message else None) for name, at, message in rows
    ]
    frame = pl.DataFrame(records, schema=schema, orient="row").with_columns(
        pl.col("event_timestamp").dt.date().alias("event_date")
    )
    with world.lake.replacing("acme", UNIFIED_EVENTS, days) as writer:
        for day in days:
            writer.write(day, frame.filter(event_date=day))
    reports = build_metrics(org, world.lake, days)
    found = world.table(ATTRIBUTION_METRICS)
    assert [report.rows for report in reports] == [found.filter(event_date=day).height for day in days]
    return {
        (row["event_date"], row["event_name"], row["window_hours"]): row["attributed_conversions"]
        for row in found.filter(pl.col("attributed_conversions") > 0).to_dicts()
    }


def test_a_unified_conversion_is_as_old_as_the_send_of_its_message(world: World) -> None:
    third = DAY + timedelta(days=2)
    found = unified(
        world,
        ("emailSend", AT, "m"),
        ("upgrade", AT + timedelta(hours=50), "m"),
        ("upgrade", AT + timedelta(hours=72), "m"),
        ("upgrade", AT + timedelta(hours=1), "never sent"),
        ("upgrade", AT + timedelta(hours=1), None),
        ("upgrade", AT - timedelta(hours=1), "m"),
    )
    assert found == {(third, "upgrade", 72): 1}


def test_a_unified_stream_does_not_know_machines(world: World) -> None:
    unified(world, ("emailSend", AT, "m"), ("emailOpen", AT, "m"))
    assert world.table(ATTRIBUTION_METRICS)["machine_opens"].null_count() == 6
