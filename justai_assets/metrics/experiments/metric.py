"""Metrics: what a message can succeed at, what people call it, and which way is better.

A metric is a string: `open`, `click`, `unsubscribe`, or `conversion:` and the org's event name. Each is yes or no per
message (did at least one such event follow?), so a rate is a share of messages between 0 and 1.
"""

from __future__ import annotations

from typing import Final

OPEN: Final = "open"
CLICK: Final = "click"
UNSUBSCRIBE: Final = "unsubscribe"
ENGAGEMENT_METRICS: Final = (OPEN, CLICK, UNSUBSCRIBE)
_CONVERSION: Final = "conversion:"

_LABELS: Final = {OPEN: "Opened", CLICK: "Clicked", UNSUBSCRIBE: "Unsubscribed"}


def conversion(event_name: str) -> str:
    """The metric of one custom event.

    >>> conversion("purchase")
    'conversion:purchase'
    """
    return _CONVERSION + event_name


def is_conversion(metric: str) -> bool:
    """Whether a metric counts a custom event."""
    return metric.startswith(_CONVERSION)


def label(metric: str) -> str:
    """What a marketer calls it.

    >>> label("open"), label("conversion:purchase")
    ('Opened', 'purchase')
    """
    return _LABELS.get(metric, metric.removeprefix(_CONVERSION))


def higher_is_better(metric: str) -> bool:
    """False for unsubscribes: there a rise is a loss."""
    return metric != UNSUBSCRIBE


def metric_of(key_metric: str | None) -> str:
    """The metric that an org file's `key_metric` names; clicks when it names none.

    Engagement metrics go by their own name, anything else is a custom event.

    >>> metric_of(None), metric_of("click"), metric_of("purchase")
    ('click', 'click', 'conversion:purchase')
    """
    if key_metric is None:
        return CLICK
    return key_metric if key_metric in ENGAGEMENT_METRICS else conversion(key_metric)
