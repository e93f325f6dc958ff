"""What a customer does to connect Iterable's Journey webhooks."""

from __future__ import annotations

import json

from justai_assets.connect.customer import Customer
from justai_assets.connect.step import Step, header_line
from justai_assets.orgs.secrets import reference_of
from justai_assets.sources.journey.spec import JOURNEY, JourneyWebhooks


def steps(customer: Customer) -> list[Step]:
    """One Journey per custom event, each calling the same webhook."""
    source = customer.org.sources.settings(JOURNEY, JourneyWebhooks)
    keys = source.api_key if source else ()
    events = source.events if source else {"<workflow id>": "<event name>"}
    names = "\n".join(f'"{workflow}": {name}' for workflow, name in events.items())
    body = {"email": "{{email}}", "workflowId": "{{workflowId}}"}
    return [
        Step(
            "Create a Journey webhook",
            "Destination Custom, method POST. Endpoint:",
            customer.webhook_url(JOURNEY),
            "url",
        ),
        Step(
            "Add its header",
            "",
            header_line("X-Api-Key", keys or (reference_of(customer.org.slug, "API_KEY"),)),
            "header",
        ),
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
