"""Iterable's system webhook as a source: its section of the org file, where it lands, what the collector takes."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from justai_assets.contract.event_times import parse_time
from justai_assets.orgs.field_types import SecretRefs
from justai_assets.orgs.secrets import reference_of
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


class IterableWebhooks(SourceSettings):
    """Iterable's project-wide system webhook.

    With neither key nor authorization and without allow_unauthenticated the collector accepts nothing for this org; the
    landing zone is read all the same.

    Attributes:
        api_key: what the webhook's custom header X-Api-Key holds; several while one is being rotated.
        authorization: what its Authorization header holds: a token, or user:password for Basic; several for rotation.
        allow_unauthenticated: accept events without any credential, as the documented URL sends them. Whoever knows
            the slug can then write events; they are marked.
    """

    api_key: SecretRefs = ()
    authorization: SecretRefs = ()
    allow_unauthenticated: bool = False

    @property
    def credentials(self) -> CredentialRefs:
        """How Iterable is known."""
        return CredentialRefs(self.api_key, self.authorization, is_open=self.allow_unauthenticated)


def _created_at(body: Body, _: datetime) -> datetime | None:
    fields = body.get("dataFields")
    return parse_time(fields.get("createdAt")) if isinstance(fields, dict) else None


def _reader() -> EnvelopeReader:
    from justai_assets.sources.iterable import parse

    return EnvelopeReader(parse.BODY, parse.typed)


_TEXT: Final = {"type": ["string", "null"]}

ITERABLE: Final = Source(
    name="iterable_webhooks",
    contents=("engagement",),
    settings=IterableWebhooks,
    landing=Landing("webhooks/iterable", JSON_LINES, "iterable_webhooks", "json"),
    envelopes=Envelopes(_reader, _created_at, mark="eventName"),
    http=Http(
        path="/api/webhook/itbl",
        summary="An Iterable system webhook event",
        takes_authorization=True,
        may_be_open=True,
        query=("campaignId",),
        objects=(("dataFields",),),
        properties={
            "email": _TEXT,
            "userId": _TEXT,
            "eventName": {"type": "string"},
            "dataFields": {"type": "object", "properties": {"createdAt": {"type": "string"}}},
        },
        fix="set api_key, authorization or allow_unauthenticated: true",
    ),
    section=lambda asked: {"api_key": reference_of(asked.slug, "API_KEY")},
    connect=ConnectText(__package__),
)
