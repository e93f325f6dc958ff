"""What in a valid org file is probably a mistake: names that nothing brings, people whom nobody knows, a weak salt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final

from justai_assets.contract.events import ENGAGEMENT_METRICS, REACTIONS
from justai_assets.orgs.field_types import is_engagement, metric_instead
from justai_assets.orgs.org_model import Org
from justai_assets.orgs.secrets import SecretError

_ENGAGEMENT_NAMES: Final = {event for name in ENGAGEMENT_METRICS for event in REACTIONS[name].events}
MIN_SALT: Final = 16
"""Characters of a salt; whoever guesses a shorter one can find an address behind its pseudonym."""


def doubts(org: Org) -> Iterator[str]:
    """Everything that is probably a mistake; what to do stands behind the first semicolon."""
    yield from misspelt(org)
    yield from unknown_people(org)
    yield from weak_secrets(org)


def misspelt(org: Org) -> Iterator[str]:
    """Event names of the org file that are close to a known name and not it, or that no source can bring.

    Every name is known where the org file lists the events of all of its custom sources, as it does for Journeys.
    """
    lists = [settings.event_names for one in org.custom if (settings := org.sources.of(one)) is not None]
    known = {*ENGAGEMENT_METRICS, *(name for names in lists for name in (names or {}).values())}
    is_complete = bool(lists) and None not in lists
    for key, name in event_names(org):
        if name in known:
            continue
        if is_engagement(name):
            yield f"{key}: {name} is an engagement event and never counts as a conversion; remove it"
            continue
        guess = closest(name, {*known, *_ENGAGEMENT_NAMES})
        guess = metric_instead(guess) if guess in _ENGAGEMENT_NAMES else guess
        if guess or is_complete:
            meant = f"; {guess} is meant, perhaps" if guess else f"; known are {', '.join(sorted(known))}"
            yield f"{key}: no source brings an event {name}{meant}"


def unknown_people(org: Org) -> Iterator[str]:
    """Templates whose split is drawn over people in a stream that names no person."""
    if not org.is_unified:
        return
    assumed = org.experiments.assumed_design_effect
    basis = "an assumed design effect" if assumed is None else f"the assumed_design_effect of {assumed:g}"
    mend = "; set experiments.assumed_design_effect if you know it" if assumed is None else "; keep it if that is known"
    for at, template in enumerate(org.templates):
        if template.split_unit == "user" and template.control is not None:
            yield (
                f"templates.{at}.split_unit: user, but {org.engagement} names no person, so the split is not checked "
                f"and decisions rest on {basis}{mend}, or take message if each request draws anew"
            )


def event_names(org: Org) -> Iterator[tuple[str, str]]:
    """(key, name) of every event that the org file counts conversions of."""
    for at, template in enumerate(org.templates):
        if template.key_metric is not None:
            yield f"templates.{at}.key_metric", template.key_metric
    yield from ((f"attribution.windows.{name}", name) for name in org.attribution.windows)
    yield from ((f"experiments.events.{at}", name) for at, name in enumerate(org.experiments.events))


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a mistyped one is close to.

    >>> closest("purchse", ["purchase", "signup"]), closest("refund", ["purchase"])
    ('purchase', None)
    """
    by_lower = {one.lower(): one for one in sorted(known)}
    found = get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.8)
    return by_lower[found[0]] if found else None


def weak_secrets(org: Org) -> Iterator[str]:
    """Whether the salt is too short to keep a secret; nothing where it cannot be had, which is said elsewhere."""
    try:
        length = len(org.secret(org.pseudonym_salt).get_secret_value())
    except SecretError:
        return
    if length < MIN_SALT:
        yield (
            f"pseudonym_salt: has {length} characters, and pseudonyms made with it can be guessed; use {MIN_SALT} or "
            "more (openssl rand -hex 32) before the first event: another salt makes other people of the same users"
        )
