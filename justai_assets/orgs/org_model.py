"""The org: one YAML file says which sources it has and how its events are attributed.

Every rule here is the org file's documentation; the messages name the key and the fix.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PrivateAttr, SecretStr, model_validator

from justai_assets.contract.events import DEFAULT_SEND_EVENTS
from justai_assets.orgs.extra_columns import of_org
from justai_assets.orgs.field_types import SLUG as SLUG
from justai_assets.orgs.field_types import (
    CountedEvent,
    Day,
    Hours,
    SendEvents,
    Slug,
)
from justai_assets.orgs.secrets import SecretRef, StrictModel, resolve
from justai_assets.orgs.source_settings import CustomSources, EngagementSource, OrgSources
from justai_assets.orgs.templates import Arm, Experiments, Template
from justai_assets.orgs.workspace_settings import ON_DATABRICKS, Databricks, Engine
from justai_assets.sources.registry import SOURCES, http_sources


class Attribution(StrictModel):
    """The attribution rule of an org: hours, by event name where they differ, and what counts as a send."""

    window_hours: Hours = 24
    windows: dict[CountedEvent, Hours] = Field(default_factory=dict)
    send_events: SendEvents = DEFAULT_SEND_EVENTS

    def window_for(self, event_name: str) -> int:
        """Hours of the window for one event name."""
        return self.windows.get(event_name, self.window_hours)


BatchMinutes = Literal[0, 15, 30, 60]
"""For how long the changes of today are taken together before its tables are rebuilt; 0: each as it is noticed."""


class Org(StrictModel):
    """One customer. See docs/orgs.md for the file, key by key."""

    slug: Slug
    start_date: Day
    pseudonym_salt: SecretRef
    engagement: EngagementSource
    custom: CustomSources = ()
    sources: OrgSources
    attribution: Attribution = Attribution()
    templates: tuple[Template, ...] = ()
    experiments: Experiments = Experiments()
    engine: Engine = "polars"
    databricks: Databricks | None = None
    batch_minutes: BatchMinutes = 15
    _file: Path | None = PrivateAttr(default=None)

    @property
    def is_unified(self) -> bool:
        """True when the engagement source carries an already unified stream."""
        return self.sources.content(self.engagement) == "unified_events"

    @property
    def runs_on_databricks(self) -> bool:
        """Whether a job of the org's workspace attributes its events."""
        return self.engine == ON_DATABRICKS

    def secret(self, reference: str) -> SecretStr:
        """The secret behind one of this org's references; SecretError when it cannot be had."""
        return resolve(reference, base=self._file.parent if self._file else None)

    @model_validator(mode="after")
    def _each_class_has_one_source(self) -> Org:
        present = set(self.sources.present())
        if self.engagement not in present:
            raise ValueError(f"engagement: {self.engagement} has no entry under sources; add sources.{self.engagement}")
        if self.sources.content(self.engagement) == "custom_events":
            raise ValueError(
                f"engagement: {self.engagement} carries custom_events; set sources.{self.engagement}.content "
                "to unified_events, or name the source that carries sends and opens"
            )
        for source in self.custom:
            if source not in present:
                raise ValueError(f"custom: {source} has no entry under sources; add sources.{source}")
            if self.is_unified:
                raise ValueError(
                    f"custom: {source} cannot be attributed, because {self.engagement} carries a unified stream "
                    f"without user keys; remove it from custom, or take engagement from {' or '.join(with_people())}"
                )
            if self.sources.content(source) != "custom_events":
                raise ValueError(
                    f"custom: {source} carries {self.sources.content(source)}, whose engagement events would come "
                    f"through two sources; set sources.{source}.content to custom_events if that is what it holds, "
                    "else remove it from custom: a unified stream is named under engagement, alone"
                )
        if len(set(self.custom)) != len(self.custom):
            raise ValueError("custom: names a source twice; remove the repetition")
        for source in self.sources.present():
            settings = self.sources.of(source)
            for key, name in ((settings.event_names if settings else None) or {}).items():
                if name in self.attribution.send_events:
                    raise ValueError(
                        f"sources.{source}.{key}: {name} is one of attribution.send_events; this source says what a "
                        "person did; give the event another name, or take it out of send_events"
                    )
        return self

    @model_validator(mode="after")
    def _declared_columns_can_flow(self) -> Org:
        if of_org(self) and self.runs_on_databricks:
            raise ValueError(
                "engine: databricks does not carry extra_columns; remove extra_columns from the sources, or remove "
                "engine, so that the days are attributed here"
            )
        return self

    @model_validator(mode="after")
    def _an_engine_has_what_it_needs(self) -> Org:
        if not self.runs_on_databricks:
            return self
        if self.databricks is None:
            raise ValueError("engine: databricks has no databricks section; add it with wheel and volume or cluster")
        if self.is_unified:
            raise ValueError(
                f"engine: {self.engagement} carries a unified stream, so there is nothing to attribute; remove engine"
            )
        return self

    @property
    def unread_sources(self) -> tuple[str, ...]:
        """Sources that are configured but that no event class names: observed, never consumed."""
        return tuple(one for one in self.sources.present() if one != self.engagement and one not in self.custom)

    @property
    def closed_sources(self) -> dict[str, str]:
        """Sources for which the collector can accept nothing, for want of a credential, and the fix of each."""
        settings = ((name, http, self.sources.of(name)) for name, http in http_sources().items())
        return {name: http.fix for name, http, found in settings if found is not None and found.accepts_nothing}

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


def with_people() -> list[str]:
    """Names of the sources whose engagement events say to whom a message went."""
    return [one.name for one in SOURCES.values() if "engagement" in one.contents]
