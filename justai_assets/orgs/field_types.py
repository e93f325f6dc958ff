"""What the values of an org file may be: slugs, days, names, ids; each mistake in words."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from justai_assets.contract.days import day_or_none
from justai_assets.contract.events import (
    CANONICAL_NAMES,
    ENGAGEMENT,
    ENGAGEMENT_METRICS,
    ITERABLE_EVENTS,
    MAX_WINDOW_HOURS,
    REACTIONS,
)
from justai_assets.orgs.secrets import SecretRef

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def _check_slug(text: str) -> str:
    if not SLUG.fullmatch(text):
        raise ValueError("a slug is 1 to 63 lower-case letters, digits and hyphens, not starting with a hyphen")
    return text


def _id_as_text(value: Any) -> Any:
    # YAML reads an unquoted id as a number; ids are text everywhere.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _no_metric(name: str) -> str:
    kind, colon, event = name.partition(":")
    if colon and kind == "revenue":
        raise ValueError(
            f"{name} is what messages bring, which is shown and decides nothing; write {event}: how many messages led "
            "to it decides, and its revenue is counted where a source declares value under extra_columns"
        )
    if colon and kind == "conversion":
        raise ValueError(f"{name} is a metric of the results; write the event's name, {event}")
    return name


def _one_as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _day(value: Any) -> Any:
    # Left to itself the date reader takes 86400 for the second day of 1970, and 20260101 for a day of August that year.
    day = day_or_none(value) if isinstance(value, str) else value
    if not isinstance(day, date) or isinstance(day, datetime) or day < EARLIEST_START:
        raise ValueError(f"must be a day from {EARLIEST_START} on, written YYYY-MM-DD, for example 2026-01-31")
    return day


def is_engagement(name: str) -> bool:
    """Whether a name is that of an engagement event, in either spelling: no conversion of it is ever counted."""
    return name in ITERABLE_EVENTS or name in ENGAGEMENT


def metric_instead(name: str) -> str:
    """What to write in the place of an engagement event's name.

    >>> metric_instead("pushOpen"), metric_instead("emailUnSubscribe"), metric_instead("emailBounce")
    ('open', 'unsubscribe', 'a custom event, or open, click, unsubscribe')
    """
    canonical = CANONICAL_NAMES.get(name, name)
    found = next((metric for metric in ENGAGEMENT_METRICS if canonical in REACTIONS[metric].events), None)
    return found or f"a custom event, or {', '.join(ENGAGEMENT_METRICS)}"


def _key_metric(name: str) -> str:
    if is_engagement(name):
        raise ValueError(
            f"{name} is an engagement event and never counts as a conversion; write {metric_instead(name)}"
        )
    return name


EARLIEST_START = date(1970, 1, 1)
Day = Annotated[date, BeforeValidator(_day)]
Slug = Annotated[str, AfterValidator(_check_slug)]
Id = Annotated[str, BeforeValidator(_id_as_text), Field(min_length=1, max_length=256)]
EventName = Annotated[str, Field(min_length=1, max_length=256)]
EventNames = Annotated[tuple[EventName, ...], BeforeValidator(_one_as_list)]
CountedEvent = Annotated[EventName, AfterValidator(_no_metric)]
CountedEvents = Annotated[tuple[CountedEvent, ...], BeforeValidator(_one_as_list)]
KeyMetric = Annotated[CountedEvent, AfterValidator(_key_metric)]
SendEvents = Annotated[EventNames, Field(min_length=1)]
Hours = Annotated[int, Field(ge=1, le=MAX_WINDOW_HOURS)]

SecretRefs = Annotated[tuple[SecretRef, ...], BeforeValidator(_one_as_list)]
