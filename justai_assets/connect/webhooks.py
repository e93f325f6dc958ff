"""Connecting the webhook doors: Iterable's system webhook, Journey webhooks, Chameleon.

A secret appears as its reference in the org file, never as itself.
"""

from __future__ import annotations

import json
from typing import Final

from justai_assets.connect.customer import Customer
from justai_assets.connect.step import Step
from justai_assets.orgs.new import variable
from justai_assets.orgs.source_settings import IterableWebhooks

ITERABLE_EVENTS: Final = (
    "Email Blast Send, Triggered Send, Email Open, Email Click, Email Bounce, Email Complaint, Email Unsubscribe; "
    "where they are used, SMS Send, SMS Click, Push Send and Push Open"
)
CHAMELEON_KINDS: Final = (
    "tour.started", "tour.completed", "tour.exited", "tour.snoozed", "tour.button.clicked", "survey.started",
    "survey.completed", "survey.exited", "survey.snoozed", "survey.button.clicked", "response.finished",
)  # fmt: skip
DATA_FEED_QUERY: Final = (
    "template_id={{ defaultIfEmpty clientTemplateId templateId }}&tracking_id={{ messageId }}"
    "&copy_id={{ copy_id }}&user_id={{ userId }}"
)
"""The parameter is `copy_id` behind an ampersand. Copies of the guide show `©_id`, which glues it to tracking_id."""


def default_key(slug: str) -> str:
    """The reference that a door without a key is given."""
    return f"env:{variable(slug, 'API_KEY')}"


def default_signing_secret(slug: str) -> str:
    """The reference that a Chameleon door is given."""
    return f"env:{variable(slug, 'CHAMELEON')}"


def _header(name: str, references: tuple[str, ...]) -> str:
    return f"{name}: <the secret behind {' or '.join(references)}>"


def _iterable_header(source: IterableWebhooks | None, slug: str) -> Step | None:
    """The header by which the webhook is let in; None where the org lets everybody in."""
    title = "Add a custom header"
    if source is not None and source.api_key:
        return Step(title, "", _header("X-Api-Key", source.api_key), "header")
    if source is not None and source.authorization:
        return Step("Set the webhook's authorization", "", _header("Authorization", source.authorization), "header")
    if source is not None and source.allow_unauthenticated:
        return None
    return Step(title, "Without it every call is refused.", _header("X-Api-Key", (default_key(slug),)), "header")


def iterable_webhooks(customer: Customer) -> list[Step]:
    """Iterable's project-wide system webhook, and the data feed that ties a copy to its message."""
    source = customer.org.sources.iterable_webhooks
    journey = customer.org.sources.journey_webhooks
    keys = journey.api_key if journey else ()
    steps = [
        Step(
            "Create a system webhook (Integrations, System Webhooks, Create Webhook)",
            "API URL:",
            f"{customer.url('/api/webhook/itbl')}?campaignId={{{{campaignId}}}}",
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
        steps.append(header)
    steps += [
        Step(
            "Create a data feed named JustAI, so that engagement is tied to the copy that was served",
            "Data Feed URL, method POST. tracking_id is the message id; each parameter has its own ampersand:",
            f"{customer.url('/api/generate')}?{DATA_FEED_QUERY}",
            "url",
        ),
        Step(
            "Give the data feed its key",
            "A custom header of the data feed:",
            _header("X-Api-Key", keys) if keys else "X-Api-Key: <a JustAI API key (Settings, API Keys)>",
            "header",
        ),
        Step("Save and enable both", "The first events show in JustAI within a minute of the first send."),
    ]
    return steps


def journey_webhooks(customer: Customer) -> list[Step]:
    """One Journey per custom event, each calling the same webhook."""
    source = customer.org.sources.journey_webhooks
    keys = source.api_key if source else ()
    events = source.events if source else {"<workflow id>": "<event name>"}
    names = "\n".join(f'"{workflow}": {name}' for workflow, name in events.items())
    body = {"email": "{{email}}", "workflowId": "{{workflowId}}"}
    return [
        Step(
            "Create a Journey webhook",
            "Destination Custom, method POST. Endpoint:",
            customer.url("/api/webhook/events"),
            "url",
        ),
        Step("Add its header", "", _header("X-Api-Key", keys or (default_key(customer.org.slug),)), "header"),
        Step("Set its body", "Content type application/json:", json.dumps(body, indent=2), "json"),
        Step(
            "Make one Journey per custom event",
            "Each is triggered by its event and calls this webhook; keep them in a folder JustAI Export. The call "
            "carries no event name, so the workflow id says which event it is. The org file's sources.journey_webhooks."
            "events maps them:",
            names,
            "yaml",
        ),
    ]


def chameleon_webhooks(customer: Customer) -> list[Step]:
    """Chameleon's outgoing webhook, and the profile properties by which a tour shows a copy."""
    source = customer.org.sources.chameleon_webhooks
    secret = source.signing_secret if source else "sources.chameleon_webhooks.signing_secret"
    profile = {
        "uid": "{{userId}}",
        "copy_id_<tour_id>": "{{copy.id}}",
        "h1_<tour_id>": "{{copy.vars.h1}}",
        "body_<tour_id>": "{{copy.vars.body}}",
    }
    return [
        Step(
            "Create an outgoing webhook (Integrations, Webhooks)",
            "URL:",
            customer.url("/api/webhook/chameleon"),
            "url",
        ),
        Step("Choose its topics", "", "\n".join(CHAMELEON_KINDS)),
        Step(
            "Hand over the signing secret",
            f"Chameleon shows it beside the webhook. Pass it on as a secret: it belongs behind {secret}. Each call is "
            "checked against its X-Chameleon-Signature.",
        ),
        Step(
            "Send additional properties with every event",
            "email is what an event is attributed by; the copy id, one property a tour, says what was shown:",
            "email\ncopy_id_<tour_id>",
        ),
        Step(
            "Store the copy on the profile",
            "POST https://api.chameleon.io/v3/observe/hooks/profiles with the header X-Account-Secret (your Chameleon "
            "account secret). A value is cut at 768 bytes.",
            json.dumps(profile, indent=2),
            "json",
        ),
    ]
