"""Event names: Iterable's catalogue, the canonical spelling, and what each name counts as.

Source: Iterable's system webhook reference. The catalogue grows: a name that is not listed is data, kept as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DEFAULT_SEND_EVENTS: Final = ("emailSend", "smsSend", "pushSend")
"""The names a custom event may be attributed to unless the org says otherwise."""

CANONICAL_NAMES: Final = {"emailUnSubscribe": "emailUnsubscribe"}
"""Names that a sender spells differently from the unified stream; the raw name is kept beside it."""

ITERABLE_EVENTS: Final = frozenset(
    {
        "emailSend", "emailSendSkip", "emailOpen", "emailClick", "emailBounce", "emailComplaint",
        "emailSubscribe", "emailUnSubscribe", "hostedUnsubscribeClick",
        "inAppSend", "inAppOpen", "inAppClick", "inAppClose", "inAppDelete", "inAppDelivery", "inAppRecall",
        "inAppSendSkip",
        "pushSend", "pushOpen", "pushBounce", "pushUninstall", "pushSendSkip",
        "smsSend", "smsBounce", "smsClick", "smsReceived", "smsSendSkip",
        "webPushSend", "webPushClick", "webPushSendSkip",
        "embeddedClick", "embeddedImpression", "embeddedReceived", "embeddedSession",
        "journeyExit",
        "whatsAppSend", "whatsAppSeen", "whatsAppReceived", "whatsAppClick", "whatsAppBounce", "whatsAppSendSkip",
    }
)  # fmt: skip

SENDS: Final = frozenset({"emailSend", "smsSend", "pushSend", "webPushSend", "inAppSend", "whatsAppSend"})
OPENS: Final = frozenset({"emailOpen", "pushOpen", "inAppOpen", "whatsAppSeen"})
CLICKS: Final = frozenset({"emailClick", "smsClick", "inAppClick", "webPushClick", "embeddedClick", "whatsAppClick"})
UNSUBSCRIBES: Final = frozenset({"emailUnsubscribe"})
"""hostedUnsubscribeClick is a second event for the same act and is not counted again."""

BOUNCES: Final = frozenset({"emailBounce", "smsBounce", "pushBounce", "whatsAppBounce"})


@dataclass(frozen=True)
class Reaction:
    """An engagement event that can follow a send.

    Its name in REACTIONS is the event's class in the event stream; `first_<name>` is its column in message_outcomes.

    Attributes:
        events: the event names that are one.
        label: what a marketer calls a message that got one.
        plural: what several are called; a metric has a count by this name in message_outcomes.
        machines: who else can cause one; empty when only people do.
        is_metric: whether a message succeeds when one follows it. It is then counted, compared and judged.
        is_gain: whether more of them is better.
    """

    events: frozenset[str]
    label: str
    plural: str
    machines: str = ""
    is_metric: bool = True
    is_gain: bool = True


REACTIONS: Final = {
    "open": Reaction(OPENS, "Opened", "opens", "mail proxies and bots"),
    "click": Reaction(CLICKS, "Clicked", "clicks", "bots"),
    "unsubscribe": Reaction(UNSUBSCRIBES, "Unsubscribed", "unsubscribes", is_gain=False),
    "bounce": Reaction(BOUNCES, "Bounced", "bounces", is_metric=False, is_gain=False),
}
"""Name → reaction, in the order in which people see them."""

ENGAGEMENT_METRICS: Final = tuple(name for name, one in REACTIONS.items() if one.is_metric)

ENGAGEMENT: Final = frozenset(CANONICAL_NAMES.get(name, name) for name in ITERABLE_EVENTS)
"""Canonical engagement names: in an already unified stream, every other name is a custom event."""

WINDOWS_HOURS: Final = (24, 48, 72)
"""The windows every conversion number is given for."""

MAX_WINDOW_HOURS: Final = 72
LOOKBACK_DAYS: Final = 3
"""Days of sends a day needs besides its own: the widest window in whole days."""
MOST_LINKED: Final = 10
"""An id that occurs together with more ids of the other kind than this, in a day and its lookback, names nobody.

It is an unknown placeholder, a shared device or a test account. People have few addresses, and few accounts at one
address; ten in four days is nobody's. Where the id is honest after all, its events lose little: their other id counts.
"""
