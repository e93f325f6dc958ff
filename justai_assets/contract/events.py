"""Event names: Iterable's catalogue, the canonical spelling, and what each name counts as.

Source: Iterable's system webhook reference. The catalogue grows: a name that is not listed is data, kept as it is.
"""

from __future__ import annotations

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
