"""What an org file says of each source: its secrets, and how its records are read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from justai_assets.orgs.extra_columns import ExtraColumns
from justai_assets.orgs.fields import SLUG as SLUG
from justai_assets.orgs.fields import (
    Id,
    JourneyEvent,
    SecretRefs,
    SharedTable,
)
from justai_assets.orgs.secrets import SecretRef, StrictModel


class IterableWebhooks(StrictModel):
    """Iterable's project-wide system webhook.

    With neither key nor authorization and without allow_unauthenticated the HTTP door of this org accepts nothing; the
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
    def accepts_nothing(self) -> bool:
        """Whether no request at all could pass the HTTP door."""
        return not (self.api_key or self.authorization or self.allow_unauthenticated)


class JourneyWebhooks(StrictModel):
    """Iterable Journey webhooks: one custom event a call.

    Attributes:
        api_key: the X-Api-Key the Journeys send; several while one is being rotated.
        events: workflowId → event name.
    """

    api_key: SecretRefs = ()
    events: Annotated[dict[Id, JourneyEvent], Field(min_length=1)]

    @property
    def accepts_nothing(self) -> bool:
        """Whether no request at all could pass the HTTP door."""
        return not self.api_key


class ChameleonWebhooks(StrictModel):
    """Chameleon webhooks.

    Attributes:
        signing_secret: verifies X-Chameleon-Signature.
        previous_signing_secret: still accepted while the secret is being rotated.
    """

    signing_secret: SecretRef
    previous_signing_secret: SecretRefs = ()


class Drop(StrictModel):
    """Parquet that a warehouse drops under the org's prefix.

    Attributes:
        content: `custom_events` (event_timestamp, event_name, user_id_or_email) or `unified_events` (the contract).
        extra_columns: columns beyond the contract that flow to unified_events: names, or name → text or number.
        settle_seconds: how long a day must be unchanged before it is read, when no manifest says it is complete.
    """

    content: Literal["custom_events", "unified_events"]
    extra_columns: ExtraColumns = Field(default_factory=dict)
    settle_seconds: Annotated[int, Field(ge=0, le=86_400)] = 300


class DeltaShare(StrictModel):
    """A Delta Sharing table or view in the unified model; profile is a reference to the credential file.

    extra_columns: as in a drop.
    """

    profile: SecretRef
    table: SharedTable
    extra_columns: ExtraColumns = Field(default_factory=dict)


class Sources(StrictModel):
    """The doors an org has."""

    iterable_webhooks: IterableWebhooks | None = None
    journey_webhooks: JourneyWebhooks | None = None
    chameleon_webhooks: ChameleonWebhooks | None = None
    redshift: Drop | None = None
    databricks: Drop | None = None
    delta_share: DeltaShare | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_key_means_defaults(cls, value: Any) -> Any:
        # `iterable_webhooks:` with nothing behind it is how YAML spells an empty mapping.
        if isinstance(value, dict):
            return {key: {} if inner is None else inner for key, inner in value.items()}
        return value

    def present(self) -> tuple[str, ...]:
        """Names of the doors that are configured."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)

    def content(self, door: str) -> str:
        """What a door carries: `engagement`, `custom_events` or `unified_events`."""
        source = getattr(self, door)
        if isinstance(source, Drop):
            return source.content
        return {"iterable_webhooks": "engagement", "delta_share": "unified_events"}.get(door, "custom_events")
