"""What an org file says of JustAI's templates: the arms of each, and by what thresholds they are judged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from justai_assets.orgs.field_types import SLUG as SLUG
from justai_assets.orgs.field_types import (
    CountedEvents,
    Day,
    Id,
    KeyMetric,
)
from justai_assets.orgs.secrets import StrictModel


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
    key_metric: KeyMetric | None = None
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
        false_discovery_rate: say as well which templates differ when at most this share of them may be false; decisions
            on a template stay its own.
    """

    target_lift: Annotated[float, Field(gt=0, le=10)] = 0.10
    minimum_days: Annotated[int, Field(ge=1, le=365)] = 7
    events: CountedEvents = ()
    assumed_design_effect: Annotated[float, Field(ge=1)] | None = None
    false_discovery_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
