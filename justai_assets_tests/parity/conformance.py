"""What the attribution rule says of named edges, as data: the engine, the files, the SQL and Spark must all say it.

The cases lie ten days apart, so that one run over all of them answers each by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import polars as pl

from justai_assets.attribution.rule import Rule
from justai_assets.contract.events import MOST_LINKED
from justai_assets.contract.placeholders import is_placeholder, trimmed
from justai_assets_tests.attribution.events import MIDNIGHT, custom_file, custom_table, engagement_table, esp_file

RULE: Final = Rule(24, {"renewal": 72, "signup": 1}, ("emailSend", "smsSend"))
MICROSECOND: Final = 1 / 3_600_000_000
IDS: Final = ("message_id", "template_id", "campaign_id")
NO_IDENTITY, NO_SEND, OUTSIDE = "no_identity", "no_send", "outside_window"


@dataclass(frozen=True)
class Event:
    """One event, `at` hours from the midnight of its case; `user` is its user id, `email` an email key."""

    at: float
    user: str | None = "ann"
    name: str = "emailSend"
    ids: tuple[str | None, str | None, str | None] = ("m", "t", "c")
    email: str | None = None


@dataclass(frozen=True)
class Case:
    """Engagement, and custom events with the message that each goes to, or the reason for none.

    Attributes:
        engagement: sends and others.
        custom: events, each with its outcome: the three ids or the reason.
        has_keys: persons have an email and a user id, which `justai attribute` and the SQL do not know.
    """

    engagement: tuple[Event, ...]
    custom: tuple[tuple[Event, Any], ...]
    has_keys: bool = False


def send(at: float, message: str | None = "m", user: str | None = "ann", **more: Any) -> Event:
    return Event(at, user, **{"ids": (message, "t", "c"), **more})


def bought(at: float, user: str | None = "ann", name: str = "purchase", email: str | None = None) -> Event:
    return Event(at, user, name, email=email)


def tie(*ids: tuple[str | None, str | None, str | None]) -> tuple[Event, ...]:
    return tuple(Event(1, ids=one) for one in ids)


M: Final = ("m", "t", "c")
NOBODY: Final = ("", " ", None, "\u00a0", "undefined", "Undefined", "null", "0", "n/a", "{{ user.id }}")
TIE: Final = Case(tie(("a", "t", "c"), ("b", "t", "c"), (None, "t", "c")), ((bought(2), ("b", "t", "c")),))

CASES: Final[dict[str, Case]] = {
    "a send causes the event after it": Case((send(1),), ((bought(2), M),)),
    "of several sends the latest prior one": Case(
        (send(1, "first"), send(2), send(2.5, "other's", "bob"), send(4, "later")), ((bought(3), M),)
    ),
    "a send at the event's own microsecond counts": Case((send(1),), ((bought(1), M),)),
    "a send a microsecond after the event does not": Case((send(1 + MICROSECOND),), ((bought(1), NO_SEND),)),
    "a send exactly one window earlier is outside": Case((send(-12),), ((bought(12), OUTSIDE),)),
    "a send a microsecond less than one window earlier counts": Case((send(-12 + MICROSECOND),), ((bought(12), M),)),
    "a send exactly 72 hours earlier is outside": Case((send(-60),), ((bought(12, name="renewal"), OUTSIDE),)),
    "a send a microsecond less than 72 hours earlier counts": Case(
        (send(-60 + MICROSECOND),), ((bought(12, name="renewal"), M),)
    ),
    "each event name has its own window": Case(
        (send(-30),), ((bought(1, name="renewal"), M), (bought(1), OUTSIDE), (bought(1, name="signup"), OUTSIDE))
    ),
    "a window of one hour ends after one hour": Case(
        (send(1),), ((bought(2 - MICROSECOND, name="signup"), M), (bought(2, name="signup"), OUTSIDE))
    ),
    "a send just before midnight": Case((send(-MICROSECOND),), ((bought(0), M),)),
    "the first send of the third day before is seen": Case((send(-72),), ((bought(23), OUTSIDE),)),
    "the last send of the fourth day before is not": Case((send(-72 - MICROSECOND),), ((bought(0, name="renewal"), NO_SEND),)),
    "a tie goes to the greatest message, null lowest": TIE,
    "equal messages: the greatest template": Case(
        tie(("m", "s", "z"), ("m", "t", "a"), ("m", None, "z")), ((bought(2), ("m", "t", "a")),)
    ),
    "equal messages and templates: the greatest campaign": Case(
        tie(("m", "t", None), ("m", "t", "c"), ("m", "t", "b")), ((bought(2), M),)
    ),
    "a tie of nulls": Case(tie((None, None, None), (None, None, "c")), ((bought(2), (None, None, "c")),)),
    "an empty id is above null": Case(tie(("", "t", "c"), (None, "u", "d")), ((bought(2), ("", "t", "c")),)),
    "ids compare bytewise": Case(
        tie(("B", "t", "c"), ("a", "t", "c"), ("Z", "t", "c"), ("aa", "t", "c")), ((bought(2), ("aa", "t", "c")),)
    ),
    "ids beyond ASCII are above it": Case(tie(("é", "t", "c"), ("z", "t", "c")), ((bought(2), ("é", "t", "c")),)),
    "a tie outside the window": Case(
        tie(("a", "t", "c"), ("b", "t", "c")), ((bought(2, name="signup"), OUTSIDE), (bought(1.5, name="signup"), ("b", "t", "c")))
    ),
    "a send that came twice is one": Case((send(1), send(1)), ((bought(2), M),)),
    "two equal events are two": Case((send(1),), ((bought(2), M), (bought(2), M))),
    "one send causes many events": Case((send(1),), tuple((bought(hour), M) for hour in range(2, 9))),
    "opens, machine opens and clicks are no sends": Case(
        (send(1), send(2, "open", name="emailOpen"), send(3, "click", name="emailClick")), ((bought(4), M),)
    ),
    "the send events are those of the rule": Case(
        (send(1, name="smsSend"), send(2, "push", name="webPushSend")), ((bought(3), M),)
    ),
    "somebody else's send": Case((send(1, user="bob"),), ((bought(2), NO_SEND),)),
    "the case of a user id counts": Case((send(1, user="Ann"),), ((bought(2), NO_SEND),)),
    "spaces around a user id do not": Case((send(1, user=" ann"),), ((bought(2, "ann\u00a0"), M),)),
    "blanks and placeholders are nobody": Case(
        tuple(send(1, f"to {user}", user) for user in NOBODY), tuple((bought(2, user), NO_IDENTITY) for user in NOBODY)
    ),
    "no send at all": Case((), ((bought(1), NO_SEND), (bought(1, None), NO_IDENTITY))),
    "an open with both keys links them": Case(
        (send(1, user=None, email="e"), send(2, "open", name="emailOpen", email="e")), ((bought(3), M),), has_keys=True
    ),
    "keys linked through others are one person": Case(
        (
            send(1, user=None, email="e0"),
            *(send(1, None, f"u{n}", name="emailOpen", email=f"e{n + step}") for n in range(9) for step in (0, 1)),
        ),
        ((bought(2, "u8"), M), (bought(2, None, email="e9"), M)),
        has_keys=True,
    ),
    "a link of the fourth day before is not seen": Case(
        (send(1, user=None, email="e"), send(-73, "open", name="emailOpen", email="e")), ((bought(3), NO_SEND),), has_keys=True
    ),
    "an event of two persons takes the later send": Case(
        (send(1, "by email", None, email="e"), send(2, user="ann")),
        ((bought(3, email="e"), M), (bought(3, None, email="e"), ("by email", "t", "c"))),
        has_keys=True,
    ),
    "an event of two persons whose sends tie": Case(
        (send(1, "z", None, email="e"), send(1)), ((bought(3, email="e"), ("z", "t", "c")),), has_keys=True
    ),
    "an event of two persons, one without a send": Case((send(1),), ((bought(3, email="e"), M),), has_keys=True),
    "equal digits as email and as user id are two people": Case(
        (send(1, user=None, email="ann"),), ((bought(2), NO_SEND),), has_keys=True
    ),
    "an id that more than ten share is nobody's": Case(
        tuple(send(1, f"m{n}", "all", email=f"e{n}") for n in range(MOST_LINKED + 1)),
        (
            (bought(2, "all"), NO_IDENTITY),
            (bought(2, "all", email="e3"), ("m3", "t", "c")),
            (bought(2, "all", email="new"), NO_SEND),
        ),
        has_keys=True,
    ),
    "an email that more than ten share is nobody's": Case(
        tuple(send(1, f"m{n}", f"u{n}", email="all") for n in range(MOST_LINKED + 1)),
        ((bought(2, None, email="all"), NO_IDENTITY), (bought(2, "u4", email="all"), ("m4", "t", "c"))),
        has_keys=True,
    ),
    "an id that ten share is one person": Case(
        tuple(send(1, f"m{n}", "ten", email=f"e{n}") for n in range(MOST_LINKED)), ((bought(2, "ten"), ("m9", "t", "c")),),
        has_keys=True,
    ),
}  # fmt: skip
PLAIN: Final = {name: case for name, case in CASES.items() if not case.has_keys}

Outcomes = dict[str, list[tuple[Any, ...]]]
"""By case: event name, hours from the case's midnight, and the three ids or the reason, sorted."""


def midnight(name: str) -> datetime:
    """Where a case lies."""
    return MIDNIGHT + timedelta(days=10 * list(CASES).index(name))


def days() -> list[date]:
    """The days with custom events."""
    moments = (midnight(name) + timedelta(hours=event.at) for name, case in CASES.items() for event, _ in case.custom)
    return sorted({moment.date() for moment in moments})


def expected(cases: Iterable[str], *, with_reasons: bool = True) -> Outcomes:
    """What the rule says; without the events that no message caused if there are no reasons to compare."""
    return _sorted(
        (name, _moment(name, event), event.name, outcome)
        for name in cases
        for event, outcome in CASES[name].custom
        if with_reasons or isinstance(outcome, tuple)
    )


def outcomes(frame: pl.DataFrame) -> Outcomes:
    """The same from rows with event_name, event_timestamp and ids; `reason` where they have one."""
    bought_names = {event.name for case in CASES.values() for event, _ in case.custom}
    found = []
    for row in frame.filter(pl.col("event_name").is_in(bought_names)).iter_rows(named=True):
        moment = row["event_timestamp"].replace(tzinfo=MIDNIGHT.tzinfo)
        name = list(CASES)[round((moment - MIDNIGHT) / timedelta(days=10))]
        found.append((name, moment, row["event_name"], row.get("reason") or tuple(row[one] for one in IDS)))
    return _sorted(found)


def files(cases: Iterable[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The cases as `justai attribute` and the SQL read them."""
    chosen = list(cases)
    sent = [{**_row(name, event), "user_id": event.user} for name in chosen for event in CASES[name].engagement]
    custom = [{**_row(name, event), "user_id": event.user} for name in chosen for event, _ in CASES[name].custom]
    return esp_file(sent), custom_file([{key: row[key] for key in row if key not in IDS} for row in custom])


def tables() -> tuple[pl.DataFrame, pl.DataFrame]:
    """All cases as esp_events and custom_events."""
    sent = [{**_row(name, event), **_keys(event)} for name, case in CASES.items() for event in case.engagement]
    custom = [{**_row(name, event), **_keys(event)} for name, case in CASES.items() for event, _ in case.custom]
    return engagement_table(sent), custom_table([{key: row[key] for key in row if key not in IDS} for row in custom])


def _row(name: str, event: Event) -> dict[str, Any]:
    ids = dict(zip(IDS, event.ids, strict=True))
    return {"event_name": event.name, "event_timestamp": _moment(name, event), **ids}


def _moment(name: str, event: Event) -> datetime:
    return midnight(name) + timedelta(microseconds=round(event.at / MICROSECOND))


def _keys(event: Event) -> dict[str, str | None]:
    """Keys as silver has them: null for an id that names nobody."""
    text = trimmed(pl.lit(event.user, pl.String))
    user = pl.select(pl.when(~is_placeholder(text) & (text != "")).then(text)).item()
    return {
        "user_key": user and f"{user.encode().hex():0>32}",
        "email_key": event.email and f"{event.email.encode().hex():0>32}",
    }


def _sorted(rows: Iterable[tuple[str, datetime, str, Any]]) -> Outcomes:
    found: Outcomes = defaultdict(list)
    for name, moment, event, outcome in rows:
        found[name].append((event, moment - midnight(name), outcome))
    return {name: sorted(some, key=repr) for name, some in found.items()}
