"""By what rules an experiment is judged. Fixed before it starts: changing them while looking voids the promises."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from justai_assets.experiments.experiment_errors import ExperimentError
from justai_assets.experiments.sample_ratio import DEFAULT_CONTROL_SHARE, SplitUnit


@dataclass(frozen=True)
class Rules:
    """Thresholds, the same for every template of an org.

    Attributes:
        alpha: error that intervals and tests allow; 0.05 is 95 % confidence.
        power: chance to see the target lift when it is there, for the planning figures.
        target_lift: the smallest relative lift worth shipping; 0.10 is +10 %.
        minimum_messages: messages each arm needs before anything is judged.
        minimum_successes: successes each arm needs, and messages without success, because the intervals lean on a
            normal limit.
        minimum_days: send days before anything is shipped; 7 sees every weekday once.
        ratio_threshold: always-valid p-value below which the split is broken.
        guardrail_rise: the relative rise in unsubscribes that the guardrail is tuned to; 1 is twice as many.
        false_discovery_rate: the share of false ones among the templates that differ (discoveries.py); None: not read.
        minimum_cell: counts of 1 up to below this are named in no sentence.
    """

    alpha: float = 0.05
    power: float = 0.80
    target_lift: float = 0.10
    minimum_messages: int = 200
    minimum_successes: int = 20
    minimum_days: int = 7
    ratio_threshold: float = 0.001
    guardrail_rise: float = 1.0
    minimum_cell: int = 20
    false_discovery_rate: float | None = None

    def __post_init__(self) -> None:
        for name in ("alpha", "power"):
            if not 0 < getattr(self, name) < 1:
                raise ExperimentError(f"{name} is {getattr(self, name)}", mend="give a share between 0 and 1")
        if not self.target_lift > 0:
            raise ExperimentError(
                f"target_lift is {self.target_lift}", mend="give a relative lift above 0, 0.1 is +10 %"
            )


@dataclass(frozen=True)
class Plan:
    """How one template is tested.

    Attributes:
        template: the template's id in the org file.
        key_metric: the metric that decides (metric.py), chosen in advance.
        has_control: a control is configured.
        control_share: share of the units meant for the control; None: not known, the split is not checked.
        split_unit: what the split is drawn over; `message` when Generate draws per request.
        start: first send day judged, where the org file names one; None: the first day on which both arms sent.
        end: last send day judged, where the org file names one.
        treatment_id: what tells the treatment's messages; two templates with one id have the same messages.
        control_id: what tells the control's.
        assumed_design_effect: of messages to people nobody knows, where the split is drawn over users; None: see
            cluster.py.
    """

    template: str
    key_metric: str
    has_control: bool = True
    control_share: float | None = DEFAULT_CONTROL_SHARE
    split_unit: SplitUnit = "message"
    start: date | None = None
    end: date | None = None
    treatment_id: str = ""
    control_id: str = ""
    assumed_design_effect: float | None = None
