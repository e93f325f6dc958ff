"""From numbers to a sentence: the order in which a test is judged.

1. No control, or an arm without messages: nothing to compare.
2. A broken split in the last allocation period, from its second day on: no number can be trusted, so none is read.
3. Under the minimum sample: too few.
4. The key metric's always-valid interval excludes "no lift": ship or keep the control, unless fewer days than the
   minimum have been seen, or unsubscribes surely rose, too (guardrail.py).
5. It excludes the target lift: the hoped-for gain is out of reach, keep the control.
6. Else keep running.

Only messages whose window is over are judged. After an arm has stopped, or the test's last day has passed, the decision
on the sends until then stands, and its sentence says so.

The key metric is chosen in advance and tested alone; the unsubscribe guardrail is not corrected, because a guardrail
should rather warn once too often. Everything else in the report is corrected and decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from justai_assets.contract.events import REACTIONS
from justai_assets.experiments import metric_names as metrics
from justai_assets.experiments.allocation import Allocation
from justai_assets.experiments.arms import CONTROL, TREATMENT
from justai_assets.experiments.decision_rules import Plan, Rules
from justai_assets.experiments.guardrail import unsubscribes_rose
from justai_assets.experiments.result_records import Comparison, Decision, MetricResult
from justai_assets.experiments.sample_ratio import SampleRatio

_UNITS: Final = {"message": "messages", "user": "people"}
_ARMS: Final = {TREATMENT: "new copy", CONTROL: "control"}


def decide(
    plan: Plan,
    results: Sequence[MetricResult],
    ratio: SampleRatio | None,
    rules: Rules,
    *,
    days: int,
    test: Allocation | None = None,
    filling: int = 0,
    is_over: bool = False,
) -> Decision:
    """Judge one template.

    Args:
        plan: how it is tested.
        results: its metrics.
        ratio: how the split came out; None when it could not be checked.
        rules: thresholds.
        days: send days compared so far.
        test: its allocation periods.
        filling: messages whose window for the key metric is still open.
        is_over: the last day that the org file names has passed.
    """
    found = _decided(plan, results, ratio, rules, days, test, filling)
    if found.verdict in ("no_control", "broken_split", "too_few"):
        return found
    key = next(result for result in results if result.is_key)
    sentence = found.sentence + _people(key)
    if test is not None and test.last is not None and (test.stopped is not None or is_over):
        sentence = _ended(sentence, test)
    return replace(found, sentence=sentence)


def _decided(
    plan: Plan,
    results: Sequence[MetricResult],
    ratio: SampleRatio | None,
    rules: Rules,
    days: int,
    test: Allocation | None,
    filling: int,
) -> Decision:
    if not plan.has_control:
        return Decision(
            "no_control",
            "no_control",
            "No control: the numbers describe the copy but cannot say what it adds; give the template a control.",
        )
    key = next((result for result in results if result.is_key), None)
    if key is None or not key.comparison.treatment.messages or not key.comparison.control.messages:
        return _empty(key, test, filling)
    if ratio is not None and ratio.is_broken:
        return Decision(
            "broken_split",
            "sample_ratio",
            f"Do not read this test yet: {_since(test)}the control got {_found_share(ratio, rules)} of the "
            f"{_UNITS[ratio.unit]} where {_share(ratio.expected_control_share)} was configured, which chance does not "
            "explain. Fix the split, or correct control_share if the share was changed on purpose.",
        )
    if not key.comparison.is_enough:
        return _too_few(key.comparison, _noun(key.metric), rules)
    return _judge(key, results, rules, days)


def _since(test: Allocation | None) -> str:
    begun = test.periods[-1].second if test is not None and len(test.periods) > 1 else None
    return "" if begun is None else f"since {begun:%-d %B %Y} "


def _ended(sentence: str, test: Allocation) -> str:
    """The decision of a test that is over."""
    assert test.last is not None
    undecided = "Keep running: "
    if sentence.startswith(undecided):
        sentence = f"Undecided at the end of the test: {sentence.removeprefix(undecided)}"
    why = "the test ended" if test.stopped is None else f"the {_ARMS[test.stopped]} stopped"
    return f"{sentence} This is the decision on the sends until {test.last:%-d %B %Y}, when {why}."


def _people(key: MetricResult) -> str:
    """What was taken for the messages of people that nobody knows."""
    if not key.people:
        return ""
    effect = f"{key.comparison.treatment.design_effect:.1f}"
    source = {
        "configured": "as the org file says",
        "estimated": "estimated from the messages with a key",
        "assumed": "assumed; set assumed_design_effect if you know better",
    }[key.people]
    return f" Not every person is known by a key, so {effect} messages count as one ({source})."


def _empty(key: MetricResult | None, test: Allocation | None, filling: int) -> Decision:
    if filling:
        return Decision(
            "too_few",
            "still_filling",
            "Too few to say: the messages may still be answered; they are judged when their window is over.",
        )
    if test is not None and test.changes and not test.periods:
        return Decision(
            "too_few",
            "shares_change",
            "Too few to say: the arms' shares changed on every day so far; a share has to stand for two days.",
        )
    if key is None:
        return Decision("too_few", "no_data", "Too few to say: no message of this template has arrived yet.")
    arm = "the new copy" if not key.comparison.treatment.messages else "the control"
    return Decision(
        "too_few",
        "arm_empty",
        f"Too few to say: no message of {arm} has arrived; check its template and campaign ids.",
    )


def _too_few(found: Comparison, noun: str, rules: Rules) -> Decision:
    short = "the control"
    if found.treatment.messages < rules.minimum_messages or found.treatment.successes < rules.minimum_successes:
        short = "the new copy"
    if min(found.treatment.messages, found.control.messages) < rules.minimum_messages:
        return Decision(
            "too_few",
            "minimum_messages",
            f"Too few to say: {short} has fewer than {rules.minimum_messages} messages.",
        )
    few = min(found.treatment.successes, found.control.successes) < rules.minimum_successes
    if few:
        said = f"{rules.minimum_successes} {noun}"
        return Decision("too_few", "minimum_successes", f"Too few to say: {short} has fewer than {said}.")
    return Decision(
        "too_few",
        "minimum_failures",
        f"Too few to say: an arm has fewer than {rules.minimum_successes} messages without {noun}.",
    )


def _judge(key: MetricResult, results: Sequence[MetricResult], rules: Rules, days: int) -> Decision:
    lift, noun = key.comparison.lift, _noun(key.metric)
    low, high = -1.0 if lift.always_low is None else lift.always_low, lift.always_high
    good_is_up = metrics.higher_is_better(key.metric)
    up, down = low > 0, high is not None and high < 0
    gain = f"{_times(lift.value)} {noun} ({_range(low, high)})"
    if (up or down) and days < rules.minimum_days:
        return Decision(
            "keep_running",
            "first_days",
            f"Keep running: {gain}, but only {days} {'day' if days == 1 else 'days'} of sends are in; wait for "
            f"{rules.minimum_days} so that every weekday counts.",
        )
    if up == good_is_up and (up or down):
        worse = unsubscribes_rose(results, rules) if key.metric != metrics.UNSUBSCRIBE else None
        if worse is not None:
            return Decision(
                "trade_off",
                "guardrail",
                f"Your call: the new copy brings {gain}, but also {_unsubscribes(worse, rules)}.",
            )
        return Decision(
            "ship",
            "key_metric_better",
            f"Ship the new copy: it brings {gain} compared with the control. A lift reads high on the day it first "
            "shows: plan with the lower end.",
        )
    if up or down:
        return Decision(
            "keep_control", "key_metric_worse", f"Keep the control: the new copy brings {gain} compared with it."
        )
    best = high if good_is_up else -low
    if best is not None and best < rules.target_lift:
        return Decision(
            "keep_control",
            "target_out_of_reach",
            f"Keep the control, or choose by taste: the new copy changes {noun} by {_range(low, high)}, so the "
            f"{_percent(rules.target_lift)} you look for is out of reach.",
        )
    return Decision(
        "keep_running",
        "undecided",
        f"Keep running: {_times(lift.value)} {noun} so far, but {_range(low, high)} would fit as well"
        f"{_outlook(key, rules)}.",
    )


def _unsubscribes(found: Comparison, rules: Rules) -> str:
    """How many more, unless the number would give a small count away."""
    few = min(found.treatment.successes, found.control.successes) < rules.minimum_cell
    return "clearly more unsubscribes" if few else f"{_times(found.lift.value)} unsubscribes"


def _outlook(key: MetricResult, rules: Rules) -> str:
    if key.days_left is None:
        return f"; at today's pace a lift of {_percent(rules.target_lift)} would not show"
    if key.days_left == 0:
        return f"; a lift of {_percent(rules.target_lift)} would most likely have shown by now"
    days = "day" if key.days_left == 1 else "days"
    lift = f"a lift of {_percent(rules.target_lift)}"
    return f"; after {key.days_left} more {days} four of five tests would show {lift}, if it is there"


def _noun(metric: str) -> str:
    return REACTIONS[metric].plural if metric in REACTIONS else f"{metrics.label(metric)} conversions"


def _percent(share: float) -> str:
    return f"{share:+.0%}".replace("-", "−").replace("%", "\u00a0%")


def _found_share(ratio: SampleRatio, rules: Rules) -> str:
    """The share, or which way it is off where the count behind it is small."""
    share = ratio.control_share or 0.0
    if any(0 < count < rules.minimum_cell for count in (ratio.treatment, ratio.control)):
        return "far fewer" if share < ratio.expected_control_share else "far more"
    return _share(share)


def _share(share: float) -> str:
    return f"{share:.1%}".replace("%", "\u00a0%")


def _times(lift: float | None) -> str:
    if lift is None:
        return "more"
    return f"{abs(lift):.1%}".replace("%", "\u00a0%") + (" more" if lift >= 0 else " fewer")


def _range(low: float, high: float | None) -> str:
    return f"anything from {_percent(low)} up" if high is None else f"between {_percent(low)} and {_percent(high)}"
