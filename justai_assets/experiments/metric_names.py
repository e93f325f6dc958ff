"""Metrics: what a message can succeed at, what people call it, and which way is better.

A metric is a string: one of ENGAGEMENT_METRICS (`open`, `click`, `unsubscribe`), or `conversion:` and the org's event
name. Each is yes or no per message (did at least one such event follow?), so a rate is a share of messages between 0
and 1. `revenue:` and the event name is an amount: what such events were worth, 0 or more a message.
"""

from __future__ import annotations

from typing import Final

from justai_assets.contract.events import ENGAGEMENT_METRICS, REACTIONS

OPEN: Final = "open"
CLICK: Final = "click"
UNSUBSCRIBE: Final = "unsubscribe"
_CONVERSION: Final = "conversion:"
_REVENUE: Final = "revenue:"


def conversion(event_name: str) -> str:
    """The metric of one custom event.

    >>> conversion("purchase")
    'conversion:purchase'
    """
    return _CONVERSION + event_name


def is_conversion(metric: str) -> bool:
    """Whether a metric counts a custom event."""
    return metric.startswith(_CONVERSION)


def revenue(event_name: str) -> str:
    """The metric of what one custom event was worth.

    >>> revenue("purchase")
    'revenue:purchase'
    """
    return _REVENUE + event_name


def is_revenue(metric: str) -> bool:
    """Whether a metric is an amount, not a count."""
    return metric.startswith(_REVENUE)


def event_of(metric: str) -> str:
    """The custom event that a metric is about.

    >>> event_of("conversion:purchase"), event_of("revenue:purchase")
    ('purchase', 'purchase')
    """
    return metric.removeprefix(_REVENUE if is_revenue(metric) else _CONVERSION)


def label(metric: str) -> str:
    """What a marketer calls it.

    >>> label("open"), label("conversion:purchase"), label("revenue:purchase")
    ('Opened', 'purchase', 'Value of purchase')
    """
    if is_revenue(metric):
        return f"Value of {metric.removeprefix(_REVENUE)}"
    return REACTIONS[metric].label if metric in REACTIONS else metric.removeprefix(_CONVERSION)


def higher_is_better(metric: str) -> bool:
    """False where a rise is a loss, as of unsubscribes."""
    return metric not in REACTIONS or REACTIONS[metric].is_gain


def metric_of(key_metric: str | None) -> str:
    """The metric that an org file's `key_metric` names; clicks when it names none.

    Engagement metrics go by their own name, anything else is a custom event.

    >>> metric_of(None), metric_of("click"), metric_of("purchase")
    ('click', 'click', 'conversion:purchase')
    """
    if key_metric is None:
        return CLICK
    return key_metric if key_metric in ENGAGEMENT_METRICS else conversion(key_metric)
