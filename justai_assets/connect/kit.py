"""The kit of a door: every step, filled in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import yaml

from justai_assets.connect import warehouse, webhooks
from justai_assets.connect.customer import Customer
from justai_assets.connect.policies import ConnectError
from justai_assets.connect.step import Step

DOORS: Final[dict[str, Callable[[Customer], list[Step]]]] = {
    "iterable_webhooks": webhooks.iterable_webhooks,
    "journey_webhooks": webhooks.journey_webhooks,
    "chameleon_webhooks": webhooks.chameleon_webhooks,
    "redshift": warehouse.redshift,
    "databricks": warehouse.databricks,
    "delta_share": warehouse.delta_share,
}


def kit(door: str, customer: Customer) -> list[Step]:
    """What the customer does to connect a door, in order.

    A webhook door that would refuse every call for want of a key begins with the key. A door that the org file does not
    have yet ends with the lines it needs.

    Raises:
        ConnectError: a door that is none, or an option that does not fit it.
    """
    if door not in DOORS:
        raise ConnectError(f"{door!r} is not a door", mend=f"choose {', '.join(DOORS)}")
    org = customer.org
    steps = DOORS[door](customer)
    if door in org.closed_doors:
        reference = webhooks.default_key(org.slug)
        said = (
            f"{org.slug}.yaml names no key for this door, so it refuses every call. Under sources.{door}, and then set "
            f"{reference.removeprefix('env:')} where the collector runs:"
        )
        steps.insert(0, Step("We set a key first", said, f"api_key: {reference}", "yaml"))
    if door not in org.sources.present():
        steps.append(_added(door, customer))
    return steps


def _added(door: str, customer: Customer) -> Step:
    """The lines that the org file needs for a door, so that it is not only there but read."""
    org = customer.org
    sources: dict[str, Any] = {door: _entry(door, customer)}
    lines: dict[str, Any] = {}
    said = []
    if sources[door].get("content") == "unified_events" or door == "delta_share":
        lines["engagement"] = door
        said.append(f"engagement: {org.engagement} becomes {door}, which brings the joined stream.")
        if org.custom:
            said.append(f"Remove custom ({', '.join(org.custom)}): those events come with it.")
        if org.engine == "databricks":
            said.append("Remove engine: nothing is left to attribute.")
        if door != "delta_share":
            said.append("To bring custom events alone, give --content custom_events.")
    elif door == "iterable_webhooks":
        lines["engagement"] = door
        said.append(f"engagement: {org.engagement} becomes {door}; other doors of engagement events stop then.")
    else:
        if org.is_unified:
            lines["engagement"] = "iterable_webhooks"
            if org.sources.iterable_webhooks is None:
                sources = {"iterable_webhooks": {"api_key": webhooks.default_key(org.slug)}, **sources}
            said.append(
                f"{org.engagement} brings a joined stream without user keys, to which no custom event can be "
                "attributed: engagement has to come from iterable_webhooks."
            )
        lines["custom"] = [*org.custom, door]
    said.append("These lines change or are added; what else is under sources stays:")
    text = yaml.safe_dump({**lines, "sources": sources}, sort_keys=False, width=120)
    return Step(f"We add the door to {org.slug}.yaml", " ".join(said), text, "yaml")


def _entry(door: str, customer: Customer) -> dict[str, Any]:
    key = webhooks.default_key(customer.org.slug)
    entries: dict[str, dict[str, Any]] = {
        "iterable_webhooks": {"api_key": key},
        "journey_webhooks": {"api_key": key, "events": {"<workflow id>": "<event name>"}},
        "chameleon_webhooks": {"signing_secret": webhooks.default_signing_secret(customer.org.slug)},
        "delta_share": {"profile": "file:PATH", "table": "share.schema.table"},
    }
    return entries.get(door) or {"content": customer.content(door)}
