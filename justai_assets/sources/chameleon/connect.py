"""What a customer does to connect Chameleon's webhook."""

from __future__ import annotations

import json
from typing import Final

from justai_assets.connect.customer import Customer
from justai_assets.connect.step import Step
from justai_assets.sources.chameleon.spec import CHAMELEON, ChameleonWebhooks

KINDS: Final = (
    "tour.started", "tour.completed", "tour.exited", "tour.snoozed", "tour.button.clicked", "survey.started",
    "survey.completed", "survey.exited", "survey.snoozed", "survey.button.clicked", "response.finished",
)  # fmt: skip


def steps(customer: Customer) -> list[Step]:
    """Chameleon's outgoing webhook, and the profile properties by which a tour shows a copy."""
    source = customer.org.sources.settings(CHAMELEON, ChameleonWebhooks)
    secret = source.signing_secret if source else f"sources.{CHAMELEON.name}.signing_secret"
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
            customer.webhook_url(CHAMELEON),
            "url",
        ),
        Step("Choose its topics", "", "\n".join(KINDS)),
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
