"""What an experiment says: frozen records, from an estimate up to a template."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from justai_assets.experiments.allocation import Allocation
from justai_assets.experiments.arms import Arm, Variance
from justai_assets.experiments.decision_rules import Plan
from justai_assets.experiments.sample_ratio import SampleRatio

Verdict = Literal["ship", "keep_control", "keep_running", "trade_off", "broken_split", "too_few", "no_control"]
Reading = Literal["better", "worse", "undecided", "too few"]


@dataclass(frozen=True)
class Estimate:
    """A number with its two intervals.

    Attributes:
        value: the measured value; None when it does not exist (an empty arm, a lift over a control without success).
        low: lower end for one look; None: unbounded.
        high: upper end for one look; None: unbounded.
        always_low: lower end that may be read every day; None: unbounded.
        always_high: upper end that may be read every day; None: unbounded.

    A difference lies within −1 … 1 (shares of messages), unless it is of amounts; a lift is relative, 0.2 is +20 %, and
    is at least −1.
    """

    value: float | None
    low: float | None
    high: float | None
    always_low: float | None
    always_high: float | None


@dataclass(frozen=True)
class Comparison:
    """A treatment (or one variant of it) against the control.

    Attributes:
        treatment: its counts.
        control: the control's counts.
        difference: of the rates, absolute.
        lift: of the rates, relative to the control.
        p_value: for one look; None when an arm is empty.
        always_valid_p: for a look every day; 1 until there is enough data.
        p_adjusted: p_value after Holm, over the family it belongs to; None when it belongs to none.
        always_valid_p_adjusted: the same for always_valid_p.
        variance: clustered by `user`; `partly`, where only some messages have a key; or by `message`.
        is_enough: both arms have the minimum sample; until then the always-valid interval is everything.
        note: why a value is missing; empty when none is.
    """

    treatment: Arm
    control: Arm
    difference: Estimate
    lift: Estimate
    p_value: float | None
    always_valid_p: float | None
    p_adjusted: float | None
    always_valid_p_adjusted: float | None
    variance: Variance
    is_enough: bool
    note: str


@dataclass(frozen=True)
class DailyLift:
    """The comparison of all cohorts up to and including one send day, with today's design effects."""

    day: date
    comparison: Comparison


@dataclass(frozen=True)
class VariantResult:
    """One copy against the control; adjusted p-values are over the copies that have the minimum of messages."""

    copy_id: str
    comparison: Comparison


@dataclass(frozen=True)
class MetricResult:
    """One metric of one template.

    Attributes:
        metric: see metric.py.
        window_hours: hours after the send in which a success counts.
        is_own_window: the window that the org decides by; the others are shown beside it.
        is_key: the metric chosen in advance, tested on its own; the others are corrected for being several.
        comparison: all cohorts together.
        people: what messages to unknown people are taken for (`Effect.basis` of cluster.py); empty where that is no
            question.
        power: chance that one look at this sample shows the target lift if it is there; None: cannot be said.
        detectable_lift: smallest lift the always-valid interval would show by now; None: cannot be said.
        days_left: days until the target lift would show in it at the pace of the last 7 days; None: cannot be said.
        daily: cumulative by send day.
        variants: per copy, where copies are known.
    """

    metric: str
    window_hours: int
    is_own_window: bool
    is_key: bool
    comparison: Comparison
    people: str
    power: float | None
    detectable_lift: float | None
    days_left: int | None
    daily: tuple[DailyLift, ...]
    variants: tuple[VariantResult, ...]


@dataclass(frozen=True)
class Decision:
    """What to do, in one sentence.

    Attributes:
        verdict: the action.
        reason: stable code of what led to it.
        sentence: for a marketer; names no count below the minimum sample.
    """

    verdict: Verdict
    reason: str
    sentence: str


@dataclass(frozen=True)
class TemplateResult:
    """One template.

    Attributes:
        plan: how it was tested.
        allocation: its periods. Sends outside of them are not compared: they would compare seasons, not copy.
        first_day: first send day that is compared; None without any.
        last_day: last send day that is compared for the key metric.
        messages_left_out: sends outside of the periods.
        messages_filling: sends inside whose window is still open for the key metric: they are not judged yet.
        metrics: the key metric first; then the others, own windows before the other ones.
        sample_ratio: of the last period; None when the share is not known, or people were to be counted and no key is
            known.
        decision: what to do.
        revenue: what messages brought, by custom event, where the org declares `value`; it decides nothing.
    """

    plan: Plan
    allocation: Allocation
    first_day: date | None
    last_day: date | None
    messages_left_out: int
    messages_filling: int
    metrics: tuple[MetricResult, ...]
    sample_ratio: SampleRatio | None
    decision: Decision
    revenue: tuple[MetricResult, ...] = ()

    @property
    def is_readable(self) -> bool:
        """Whether its arms may be compared at all: there is a control, and its split is not broken."""
        return self.decision.verdict not in ("broken_split", "no_control")

    @property
    def key(self) -> MetricResult | None:
        """The metric that decides; None when nothing was counted for it."""
        return next((metric for metric in self.metrics if metric.is_key), None)
