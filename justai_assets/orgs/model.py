"""The org: one YAML file says which doors it has and how its events are attributed.

Every rule here is the org file's documentation; the messages name the key and the mend.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, SecretStr, model_validator

from justai_assets.contract.events import DEFAULT_SEND_EVENTS
from justai_assets.orgs.databricks import Databricks, Engine
from justai_assets.orgs.extra_columns import ExtraColumns, of_org
from justai_assets.orgs.fields import SLUG as SLUG
from justai_assets.orgs.fields import (
    CountedEvent,
    CountedEvents,
    CustomDoors,
    Day,
    Engagement,
    Hours,
    Id,
    JourneyEvent,
    SecretRefs,
    SendEvents,
    SharedTable,
    Slug,
)
from justai_assets.orgs.secrets import SecretRef, StrictModel, resolve


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


class Attribution(StrictModel):
    """The attribution rule of an org: hours, by event name where they differ, and what counts as a send."""

    window_hours: Hours = 24
    windows: dict[CountedEvent, Hours] = Field(default_factory=dict)
    send_events: SendEvents = DEFAULT_SEND_EVENTS

    def window_for(self, event_name: str) -> int:
        """Hours of the window for one event name."""
        return self.windows.get(event_name, self.window_hours)


class Arm(StrictModel):
    """The ESP ids by which one arm of a template is known."""

    template_id: Id
    campaign_id: Id


class Template(StrictModel):
    """A JustAI template and the arms it is measured by.

    Attributes:
        id: the template's id.
        key_metric: what decides: a custom event's name, or `open`, `click`, `unsubscribe`; clicks when absent.
        treatment: ids of the new copy.
        control: ids of the original copy; without it nothing is compared.
        control_share: share of the split units meant for the control; the split is checked against it. Absent or null:
            the share is not known, and nothing is checked.
        split_unit: what the split is drawn over: `message` when each request draws anew, `user` when a person stays in
            one arm.
        experiment_start: first send day that is judged; the first day on which both arms sent when absent.
        experiment_end: last send day that is judged. The decision on the sends until then stands.
    """

    id: Id
    key_metric: CountedEvent | None = None
    treatment: Arm
    control: Arm | None = None
    control_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    split_unit: Literal["message", "user"] = "message"
    experiment_start: Day | None = None
    experiment_end: Day | None = None

    @model_validator(mode="after")
    def _arms_differ(self) -> Template:
        if self.control is not None and self.control == self.treatment:
            raise ValueError("treatment and control have the same ids; give the control its own template or campaign")
        return self

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Template:
        if self.experiment_start and self.experiment_end and self.experiment_end < self.experiment_start:
            raise ValueError("experiment_end is before experiment_start; swap them or remove one")
        return self


class Experiments(StrictModel):
    """By what thresholds an org's templates are judged.

    Attributes:
        target_lift: the smallest relative lift worth shipping; 0.10 is +10 %.
        minimum_days: send days before anything is shipped; 7 sees every weekday once.
        events: custom events whose conversions are counted, besides key metrics, names with a window of their own and
            those of journey_webhooks: a warehouse's names are known to nobody else.
        assumed_design_effect: where `split_unit` is user and people are not known by a key, as how many messages one
            independent message counts. Without it the number is estimated from the messages with a key, or assumed
            from the days of the test.
    """

    target_lift: Annotated[float, Field(gt=0, le=10)] = 0.10
    minimum_days: Annotated[int, Field(ge=1, le=365)] = 7
    events: CountedEvents = ()
    assumed_design_effect: Annotated[float, Field(ge=1)] | None = None


BatchMinutes = Literal[0, 15, 30, 60]
"""For how long the changes of today are taken together before its tables are rebuilt; 0: each as it is noticed."""


class Org(StrictModel):
    """One customer. See docs/orgs.md for the file, key by key."""

    slug: Slug
    start_date: Day
    pseudonym_salt: SecretRef
    engagement: Engagement
    custom: CustomDoors = ()
    sources: Sources
    attribution: Attribution = Attribution()
    templates: tuple[Template, ...] = ()
    experiments: Experiments = Experiments()
    engine: Engine = "polars"
    databricks: Databricks | None = None
    batch_minutes: BatchMinutes = 15
    _file: Path | None = PrivateAttr(default=None)

    @property
    def is_unified(self) -> bool:
        """True when the engagement door carries an already unified stream."""
        return self.sources.content(self.engagement) == "unified_events"

    def secret(self, reference: str) -> SecretStr:
        """The secret behind one of this org's references; SecretError when it cannot be had."""
        return resolve(reference, base=self._file.parent if self._file else None)

    @model_validator(mode="after")
    def _each_class_has_one_door(self) -> Org:
        present = set(self.sources.present())
        if self.engagement not in present:
            raise ValueError(f"engagement: {self.engagement} has no entry under sources; add sources.{self.engagement}")
        if self.sources.content(self.engagement) == "custom_events":
            raise ValueError(
                f"engagement: {self.engagement} carries custom_events; set sources.{self.engagement}.content "
                "to unified_events, or name the door that carries sends and opens"
            )
        for door in self.custom:
            if door not in present:
                raise ValueError(f"custom: {door} has no entry under sources; add sources.{door}")
            if self.is_unified:
                raise ValueError(
                    f"custom: {door} cannot be attributed, because {self.engagement} carries a unified stream without "
                    "user keys; remove it from custom, or take engagement from iterable_webhooks"
                )
            if self.sources.content(door) != "custom_events":
                raise ValueError(
                    f"custom: {door} carries {self.sources.content(door)}, whose engagement events would come through "
                    f"two doors; set sources.{door}.content to custom_events if that is what it holds, else remove it "
                    "from custom: a unified stream is named under engagement, alone"
                )
        if len(set(self.custom)) != len(self.custom):
            raise ValueError("custom: names a door twice; remove the repetition")
        journeys = self.sources.journey_webhooks
        for workflow, name in (journeys.events if journeys else {}).items():
            if name in self.attribution.send_events:
                raise ValueError(
                    f"sources.journey_webhooks.events.{workflow}: {name} is one of attribution.send_events; a Journey "
                    "says what a person did; give it another name, or take it out of send_events"
                )
        return self

    @model_validator(mode="after")
    def _declared_columns_can_flow(self) -> Org:
        if of_org(self) and self.engine == "databricks":
            raise ValueError(
                "engine: databricks does not carry extra_columns; remove extra_columns from the sources, or remove "
                "engine, so that the days are attributed here"
            )
        return self

    @model_validator(mode="after")
    def _an_engine_has_what_it_needs(self) -> Org:
        if self.engine != "databricks":
            return self
        if self.databricks is None:
            raise ValueError("engine: databricks has no databricks section; add it with wheel and volume or cluster")
        if self.is_unified:
            raise ValueError(
                f"engine: {self.engagement} carries a unified stream, so there is nothing to attribute; remove engine"
            )
        return self

    @property
    def unread_doors(self) -> tuple[str, ...]:
        """Doors that are configured but that no event class names: observed, never consumed."""
        return tuple(door for door in self.sources.present() if door != self.engagement and door not in self.custom)

    @property
    def closed_doors(self) -> dict[str, str]:
        """Webhook doors whose HTTP door can accept nothing, for want of a credential, and the mend of each."""
        mends = {
            "iterable_webhooks": "set api_key, authorization or allow_unauthenticated: true",
            "journey_webhooks": "set api_key",
        }
        sources = ((door, getattr(self.sources, door)) for door in mends)
        return {door: mends[door] for door, source in sources if source is not None and source.accepts_nothing}

    @model_validator(mode="after")
    def _template_ids_are_unique(self) -> Org:
        ids = [template.id for template in self.templates]
        repeated = sorted({one for one in ids if ids.count(one) > 1})
        if repeated:
            raise ValueError(f"templates: {', '.join(repeated)} stands twice; give each template one entry")
        return self

    @model_validator(mode="after")
    def _templates_can_be_told_apart(self) -> Org:
        seen: dict[tuple[Arm, Arm | None], str] = {}
        for one in self.templates:
            twin = seen.setdefault((one.treatment, one.control), one.id)
            if twin != one.id:
                raise ValueError(
                    f"templates: {twin} and {one.id} have the same ids in both arms, so every message would count "
                    "twice; remove one of them"
                )
            if one.experiment_start is not None and one.experiment_start < self.start_date:
                raise ValueError(
                    f"templates: experiment_start of {one.id} is before start_date, {self.start_date}; give a later day"
                )
        return self
