"""Chameleon's webhook as a source: its section of the org file, where it lands, what the collector takes."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from justai_assets.contract.event_times import parse_time
from justai_assets.orgs.field_types import SecretRefs
from justai_assets.orgs.secrets import SecretRef, reference_of
from justai_assets.sources.source import (
    JSON_LINES,
    Body,
    ConnectText,
    CredentialRefs,
    EnvelopeReader,
    Envelopes,
    Http,
    Landing,
    Source,
    SourceSettings,
)

THINGS: Final = ("tour", "survey", "embed", "demo")
"""What an event can be about: each is a field of `data`, and its id is the template."""


MAX_ID_LENGTH: Final = 256
"""Characters of an id that Chameleon gives an event; a longer one is not taken as its identity."""


class ChameleonWebhooks(SourceSettings):
    """Chameleon webhooks.

    Attributes:
        signing_secret: verifies X-Chameleon-Signature.
        previous_signing_secret: still accepted while the secret is being rotated.
    """

    signing_secret: SecretRef
    previous_signing_secret: SecretRefs = ()

    @property
    def credentials(self) -> CredentialRefs:
        """How Chameleon is known."""
        return CredentialRefs(signing_secrets=(self.signing_secret, *self.previous_signing_secret))


def _sent_at(body: Body, _: datetime) -> datetime | None:
    return parse_time(body.get("sent_at"))


def _own_id(body: Body) -> str | None:
    """The body's `id`: a string of 1 to 256 characters, or an integer as text."""
    own = body.get("id")
    if isinstance(own, int) and not isinstance(own, bool):
        own = str(own)
    return own if isinstance(own, str) and 0 < len(own) <= MAX_ID_LENGTH else None


def _reader() -> EnvelopeReader:
    from justai_assets.sources.chameleon import parse

    # `copy_id_<tour_id>` may sit anywhere in the body, under a name that only the row knows: hence the whole line.
    return EnvelopeReader(parse.BODY, parse.typed, with_line=True)


CHAMELEON: Final = Source(
    name="chameleon_webhooks",
    contents=("custom_events",),
    settings=ChameleonWebhooks,
    landing=Landing("webhooks/chameleon", JSON_LINES, "chameleon_webhooks", "json"),
    envelopes=Envelopes(_reader, _sent_at, _own_id, mark="kind"),
    http=Http(
        path="/api/webhook/chameleon",
        summary="A Chameleon webhook event",
        signature="X-Chameleon-Signature",
        objects=(("data",), ("data", "profile"), *(("data", thing) for thing in THINGS)),
        properties={
            "id": {"type": "string"},
            "sent_at": {"type": "string"},
            "kind": {"type": "string"},
            "data": {"type": "object"},
        },
    ),
    section=lambda asked: {"signing_secret": reference_of(asked.slug, "CHAMELEON")},
    connect=ConnectText(__package__),
)
