"""Who is the person of a message: keys linked as in the attribution."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.contract.days import Days
from justai_assets.contract.events import MOST_LINKED
from justai_assets.contract.tables import ESP_EVENTS, MESSAGE_OUTCOMES
from justai_assets.events.message_outcomes import build_message_outcomes
from justai_assets.events.message_people import MessagePeople
from justai_assets.orgs.org_model import Org
from justai_assets_tests.experiments.events import an_org, write
from justai_assets_tests.world import World

DAY = date(2026, 1, 5)
ONE = Days(DAY, DAY)
KEYS = {"email_key": pl.String, "user_key": pl.String}
Keys = tuple[str | None, str | None]


def people(links: list[Keys], *rows: Keys) -> list[str | None]:
    """The person of each row, where the links are all other engagement there is."""
    sends = pl.DataFrame(list(rows), schema=KEYS, orient="row")
    every = pl.concat([pl.DataFrame(links, schema=KEYS, orient="row"), sends])
    found = MessagePeople.of(every.lazy(), sends.lazy()).named(sends.with_row_index().lazy()).collect()
    return found.sort("index")["person"].to_list()


def test_an_email_and_a_user_id_that_one_event_carries_are_one_person_named_by_the_email():
    assert people([("e", "u")], ("e", None), (None, "u"), (None, "v"), (None, None)) == ["e", "e", "v", None]
    assert people([], ("e", None), (None, "u")) == ["e", "u"]


def test_a_chain_of_keys_is_one_person_named_by_the_least_email():
    chain: list[Keys] = [("e3", "u1"), ("e2", "u1"), ("e2", "u2"), ("e1", "u2")]
    rows: list[Keys] = [("e3", None), (None, "u1"), ("e1", "u2")]
    assert people(chain, *rows) == ["e1"] * 3
    assert people(chain[::-1], *rows) == ["e1"] * 3


def test_a_key_that_too_many_share_links_nobody_and_is_nobody():
    kiosk: list[Keys] = [(f"e{number}", "kiosk") for number in range(MOST_LINKED + 1)]
    assert people(kiosk, (None, "kiosk"), ("e1", "kiosk"), ("e2", None)) == [None, "e1", "e2"]
    family: list[Keys] = [(f"e{number}", "family") for number in range(MOST_LINKED)]
    assert people(family, (None, "family"), ("e7", None)) == ["e0", "e0"]
    address: list[Keys] = [("info", f"u{number}") for number in range(MOST_LINKED + 1)]
    assert people(address, ("info", None), ("info", "u1"), (None, "u2")) == [None, "u1", "u2"]


def by_union(links: list[Keys], rows: list[Keys]) -> list[str | None]:
    """The reference: plain union of sets, one pair after the other."""
    pairs = {(email, user) for email, user in [*links, *rows] if email and user}
    others: dict[tuple[int, str], set[str]] = {}
    for pair in pairs:
        for side in (0, 1):
            others.setdefault((side, pair[side]), set()).add(pair[1 - side])
    shared = {key for key, some in others.items() if len(some) > MOST_LINKED}
    groups: list[set[tuple[int, str]]] = []
    for email, user in pairs:
        ends = {(0, email), (1, user)}
        if not ends & shared:
            groups = [*(one for one in groups if not one & ends), ends.union(*(one for one in groups if one & ends))]

    def person(row: Keys) -> str | None:
        for side in (0, 1):
            key = row[side]
            if key is not None and (side, key) not in shared:
                group = next((one for one in groups if (side, key) in one), {(side, key)})
                return min((text for where, text in group if where == 0), default=key)
        return None

    return [person(row) for row in rows]


EMAILS = st.sampled_from([None, *(f"e{number:02d}" for number in range(14))])
USERS = st.sampled_from([None, *(f"u{number:02d}" for number in range(14))])
ROWS = st.lists(st.tuples(EMAILS, USERS), max_size=40)


@settings(max_examples=120, deadline=None)
@given(ROWS, ROWS, st.sampled_from([0, 12]))
def test_the_persons_are_those_of_a_plain_union(links: list[Keys], rows: list[Keys], busy: int) -> None:
    links = [*links, *((f"e{number:02d}", "u00") for number in range(busy))]
    assert people(links, *rows) == by_union(links, rows)


def land(world: World, day: date, *rows: tuple[str, str, str | None, str | None]) -> None:
    """Engagement of a day: name, message, email key, user key."""
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    events = [
        {"event_id": f"{day} {number}", "event_name": name, "raw_event_name": name, "event_timestamp": at,
         "event_date": day, "message_id": message, "template_id": "501", "campaign_id": "9001", "is_machine": False,
         "email_key": email, "user_key": user, "door": "iterable_webhooks"}
        for number, (name, message, email, user) in enumerate(rows)
    ]  # fmt: skip
    write(world, ESP_EVENTS, day, pl.DataFrame(events, schema=ESP_EVENTS.schema))


def found(world: World, org: Org, days: Days = ONE) -> dict[str, str | None]:
    build_message_outcomes(org, world.lake, days)
    return dict(world.lake.scan("acme", MESSAGE_OUTCOMES).select("message_id", "person").collect().rows())


def test_an_event_of_the_three_days_around_links_the_messages_of_a_day_and_one_beyond_does_not(world: World) -> None:
    org = an_org(world)
    sends = (("emailSend", "m1", "e", None), ("emailSend", "m2", None, "u"))
    land(world, DAY, *sends)
    assert found(world, org) == {"m1": "e", "m2": "u"}
    for offset, person in ((-4, "u"), (-3, "e"), (3, "e"), (4, "u")):
        at = DAY + timedelta(offset)
        land(world, at, ("emailOpen", "other", "e", "u"))
        assert found(world, org)["m2"] == person, f"{offset} days away"
        land(world, at)


def test_the_person_does_not_depend_on_how_the_days_are_cut(world: World) -> None:
    org = an_org(world)
    days = Days(DAY, DAY + timedelta(5))
    for number, day in enumerate(days):
        land(
            world, day, ("emailSend", f"a{number}", "e2", None), ("emailSend", f"b{number}", None, "u"),
            ("emailSend", f"c{number}", None, "w"),
            *((("emailOpen", "x", "e2", "u"),) if number == 0 else ()),
            *((("emailOpen", "x", "e1", "u"),) if number == 5 else ()),
        )  # fmt: skip
    whole = found(world, org, days)
    # Day 0 sees the link of day 0 alone, days 2 and 3 both, and no day sees who w is.
    assert [whole[f"a{number}"] for number in range(6)] == ["e2", "e2", "e1", "e1", "e2", "e2"]
    assert [whole[f"b{number}"] for number in range(6)] == ["e2", "e2", "e1", "e1", "e1", "e1"]
    assert {whole[f"c{number}"] for number in range(6)} == {"w"}
    for day in reversed(list(days)):
        assert found(world, org, Days(day, day)) == whole
