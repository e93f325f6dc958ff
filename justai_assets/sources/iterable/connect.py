"""What a customer does to connect Iterable's system webhook.

A secret appears as its reference in the org file, never as itself.
"""

from __future__ import annotations

from typing import Final

from justai_assets.connect.customer import Customer
from justai_assets.connect.step import Step, header_line
from justai_assets.orgs.secrets import reference_of
from justai_assets.sources.iterable.spec import ITERABLE, IterableWebhooks
from justai_assets.sources.journey.spec import JOURNEY, JourneyWebhooks

ITERABLE_EVENTS: Final = (
    "Email Blast Send, Triggered Send, Email Open, Email Click, Email Bounce, Email Complaint, Email Unsubscribe; "
    "where they are used, SMS Send, SMS Click, Push Send and Push Open"
)
DATA_FEED_QUERY: Final = (
    "template_id={{ defaultIfEmpty clientTemplateId templateId }}&tracking_id={{ messageId }}"
    "&copy_id={{ copy_id }}&user_id={{ userId }}"
)
"""The parameter is `copy_id` behind an ampersand. Copies of the guide show `©_id`, which glues it to tracking_id."""


def _iterable_header(source: IterableWebhooks | None, slug: str) -> Step | None:
    """The header by which the webhook is let in; None where the org lets everybody in."""
    title = "Add a custom header"
    if source is not None and source.api_key:
        return Step(title, "", header_line("X-Api-Key", source.api_key), "header")
    if source is not None and source.authorization:
        return Step("Set the webhook's authorization", "", header_line("Authorization", source.authorization), "header")
    if source is not None and source.allow_unauthenticated:
        return None
    return Step(
        title, "Without it every call is refused.", header_line("X-Api-Key", (reference_of(slug, "API_KEY"),)), "header"
    )


def steps(customer: Customer) -> list[Step]:
    """Iterable's project-wide system webhook, and the data feed that ties a copy to its message."""
    source = customer.org.sources.settings(ITERABLE, IterableWebhooks)
    journey = customer.org.sources.settings(JOURNEY, JourneyWebhooks)
    keys = journey.api_key if journey else ()
    found = [
        Step(
            "Create a system webhook (Integrations, System Webhooks, Create Webhook)",
            "API URL:",
            f"{customer.webhook_url(ITERABLE)}?campaignId={{{{campaignId}}}}",
            "url",
        ),
        Step(
            "Choose its events",
            f"{ITERABLE_EVENTS}. Sends matter most: a custom event is attributed to one. "
            f"This org counts as sends: {', '.join(customer.org.attribution.send_events)}.",
        ),
    ]
    header = _iterable_header(source, customer.org.slug)
    if header is not None:
        found.append(header)
    found += [
        Step(
            "Create a data feed named JustAI, so that engagement is tied to the copy that was served",
            "Data Feed URL, method POST. tracking_id is the message id; each parameter has its own ampersand:",
            f"{customer.url('/api/generate')}?{DATA_FEED_QUERY}",
            "url",
        ),
        Step(
            "Give the data feed its key",
            "A custom header of the data feed:",
            header_line("X-Api-Key", keys) if keys else "X-Api-Key: <a JustAI API key (Settings, API Keys)>",
            "header",
        ),
        Step("Save and enable both", "The first events show in JustAI within a minute of the first send."),
    ]
    return found
