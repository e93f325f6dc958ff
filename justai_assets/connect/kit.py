"""The kit of a door: every step, filled in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

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
_ENTRY: Final = {
    "iterable_webhooks": "iterable_webhooks: {}",
    "journey_webhooks": 'journey_webhooks: {api_key: env:NAME, events: {"<workflow id>": <event name>}}',
    "chameleon_webhooks": "chameleon_webhooks: {signing_secret: env:NAME}",
    "redshift": "redshift: {content: unified_events}",
    "databricks": "databricks: {content: unified_events}",
    "delta_share": "delta_share: {profile: file:PATH, table: share.schema.table}",
}


def kit(door: str, customer: Customer) -> list[Step]:
    """What the customer does to connect a door, in order.

    A door that the org file does not have yet ends with the entry it needs.

    Raises:
        ConnectError: a door that is none.
    """
    if door not in DOORS:
        raise ConnectError(f"{door!r} is not a door", mend=f"choose {', '.join(DOORS)}")
    steps = DOORS[door](customer)
    if door not in customer.org.sources.present():
        steps.append(Step(f"We add the door to {customer.org.slug}.yaml", "Under sources:", _ENTRY[door], "yaml"))
    return steps
