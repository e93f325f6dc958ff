"""Iterable's Journey webhooks as a source: their section of the org file, where they land, what the collector takes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from justai_assets.orgs.field_types import EventName, Id, SecretRefs, is_engagement
from justai_assets.orgs.secrets import reference_of
from justai_assets.sources.source import (
    JSON_LINES,
    Asked,
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


def _event(name: str) -> str:
    if is_engagement(name):
        raise ValueError(f"{name} is the name of an engagement event; give what the person did, for example purchase")
    if "@" in name or not any(character.isalpha() for character in name):
        # It may be somebody's: it is not repeated.
        raise ValueError("an event name has a letter and no @; give what the person did, for example purchase")
    return name


class JourneyWebhooks(SourceSettings):
    """Iterable Journey webhooks: one custom event a call.

    Attributes:
        api_key: the X-Api-Key the Journeys send; several while one is being rotated.
        events: workflowId → event name.
    """

    api_key: SecretRefs = ()
    events: Annotated[dict[Id, Annotated[EventName, AfterValidator(_event)]], Field(min_length=1)]

    @property
    def credentials(self) -> CredentialRefs:
        """How a Journey is known."""
        return CredentialRefs(self.api_key)

    @property
    def event_names(self) -> dict[str, str]:
        """What the Journeys are mapped to."""
        return {f"events.{workflow}": name for workflow, name in self.events.items()}

    @property
    def rule(self) -> list[Any]:
        """The map: it names the events."""
        return [self.events]


def _received(_: Body, received_at: datetime) -> datetime:
    return received_at


def _reader() -> EnvelopeReader:
    from justai_assets.sources.journey import parse

    return EnvelopeReader(parse.BODY, parse.typed)


def _section(asked: Asked) -> dict[str, Any]:
    return {"api_key": reference_of(asked.slug, "API_KEY"), "events": dict(asked.events)}


JOURNEY: Final = Source(
    name="journey_webhooks",
    contents=("custom_events",),
    settings=JourneyWebhooks,
    landing=Landing("webhooks/events", JSON_LINES, "journey_webhooks", "json"),
    envelopes=Envelopes(_reader, _received, is_each_receipt_new=True, mark="workflowId"),
    http=Http(
        path="/api/webhook/events",
        summary="An Iterable Journey webhook: one custom event a call",
        properties={"email": {"type": ["string", "null"]}, "workflowId": {"type": ["string", "integer"]}},
    ),
    section=_section,
    asks=("events",),
    connect=ConnectText(__package__),
)
