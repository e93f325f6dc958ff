from __future__ import annotations

import pytest

from justai_assets.contract import events

PREFIXED = {
    "email": "Send SendSkip Open Click Bounce Complaint Subscribe UnSubscribe",
    "inApp": "Send Open Click Close Delete Delivery Recall SendSkip",
    "push": "Send Open Bounce Uninstall SendSkip",
    "sms": "Send Bounce Click Received SendSkip",
    "webPush": "Send Click SendSkip",
    "embedded": "Click Impression Received Session",
    "whatsApp": "Send Seen Received Click Bounce SendSkip",
}
DOCUMENTED = {f"{channel}{act}" for channel, acts in PREFIXED.items() for act in acts.split()}


def test_the_catalogue_is_iterables_whole_list() -> None:
    assert DOCUMENTED | {"hostedUnsubscribeClick", "journeyExit"} == events.ITERABLE_EVENTS


def test_the_unsubscribe_is_spelt_as_the_unified_stream_spells_it() -> None:
    assert events.CANONICAL_NAMES == {"emailUnSubscribe": "emailUnsubscribe"}
    assert "emailUnSubscribe" not in events.ENGAGEMENT
    assert {"emailUnsubscribe"} == events.UNSUBSCRIBES <= events.ENGAGEMENT


@pytest.mark.parametrize("names", [events.SENDS, events.OPENS, events.CLICKS, events.UNSUBSCRIBES])
def test_what_is_counted_is_in_the_catalogue_under_its_canonical_name(names: frozenset[str]) -> None:
    assert names <= events.ENGAGEMENT


def test_no_name_counts_as_two_things() -> None:
    kinds = (events.SENDS, events.OPENS, events.CLICKS, events.UNSUBSCRIBES)
    assert sum(map(len, kinds)) == len(frozenset().union(*kinds))


def test_the_lookback_covers_the_widest_window() -> None:
    assert events.LOOKBACK_DAYS * 24 >= events.MAX_WINDOW_HOURS == max(events.WINDOWS_HOURS)
    assert set(events.DEFAULT_SEND_EVENTS) <= events.SENDS
