"""Results as a table, for marts and ad-hoc SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

import polars as pl

from justai_assets.experiments.all_templates import OverallResult
from justai_assets.experiments.false_discovery import Discoveries
from justai_assets.experiments.result_records import Comparison, Estimate, MetricResult, TemplateResult

RESULTS: Final = pl.Schema(
    {
        "template": pl.String(),
        "metric": pl.String(),
        "window_hours": pl.Int32(),
        "is_own_window": pl.Boolean(),
        "is_key": pl.Boolean(),
        "copy_id": pl.String(),
        "first_day": pl.Date(),
        "last_day": pl.Date(),
        "treatment_messages": pl.Int64(),
        "treatment_successes": pl.Int64(),
        "treatment_rate": pl.Float64(),
        "control_messages": pl.Int64(),
        "control_successes": pl.Int64(),
        "control_rate": pl.Float64(),
        **{
            f"{number}{end}": pl.Float64()
            for number in ("difference", "lift")
            for end in ("", "_low", "_high", "_always_low", "_always_high")
        },
        "p_value": pl.Float64(),
        "p_adjusted": pl.Float64(),
        "always_valid_p": pl.Float64(),
        "always_valid_p_adjusted": pl.Float64(),
        "variance": pl.String(),
        "treatment_design_effect": pl.Float64(),
        "control_design_effect": pl.Float64(),
        "is_enough": pl.Boolean(),
        "power": pl.Float64(),
        "detectable_lift": pl.Float64(),
        "days_left": pl.Int64(),
        "note": pl.String(),
        "control_share": pl.Float64(),
        "expected_control_share": pl.Float64(),
        "sample_ratio_p": pl.Float64(),
        "sample_ratio_always_valid_p": pl.Float64(),
        "verdict": pl.String(),
        "reason": pl.String(),
        "decision": pl.String(),
    }
)
"""One row a template × metric × window, and one a copy below it (copy_id set). Columns mean what results.py says.
Null in an interval's end: unbounded. Planning figures are null on a copy's row; the last seven columns repeat the
template's. Template null: all templates together, a row a metric, without arms and with a reading for a verdict, and
one of the metric KEY_METRICS that says which templates differ at a false-discovery rate."""

KEY_METRICS: Final = "key metrics"
FALSE_DISCOVERY_RATE: Final = "false_discovery_rate"


def results_frame(
    results: Sequence[TemplateResult],
    together: Sequence[OverallResult] = (),
    found: Discoveries | None = None,
) -> pl.DataFrame:
    """The results in the columns of RESULTS, in the order given; all templates together at the end."""
    rows = [row for result in results for row in _rows(result)] + [_overall(one) for one in together]
    rows += [_discoveries(found)] if found is not None else []
    return pl.DataFrame(rows, schema=RESULTS)


def _overall(found: OverallResult) -> dict[str, Any]:
    row: dict[str, Any] = {
        name: getattr(found, name)
        for name in ("metric", "p_value", "always_valid_p", "always_valid_p_adjusted", "variance", "note")
    }
    row |= {"template": None, "copy_id": None, "window_hours": found.window_hours, "is_own_window": True}
    row |= {"is_key": False, "is_enough": found.lift.value is not None}
    row |= _ends("lift", found.lift)
    return row | {"verdict": found.reading, "reason": "overall", "decision": found.sentence}


def _discoveries(found: Discoveries) -> dict[str, Any]:
    row: dict[str, Any] = {"template": None, "metric": KEY_METRICS, "window_hours": 0, "is_own_window": True}
    row |= {"copy_id": None, "is_key": False, "is_enough": True, "variance": "message", "note": ""}
    return row | {"verdict": found.reading, "reason": FALSE_DISCOVERY_RATE, "decision": found.sentence}


def _ends(name: str, estimate: Estimate) -> dict[str, Any]:
    ends = ("low", "high", "always_low", "always_high")
    return {name: estimate.value} | {f"{name}_{end}": getattr(estimate, end) for end in ends}


def _rows(result: TemplateResult) -> Iterator[dict[str, Any]]:
    ratio = result.sample_ratio
    template = {
        "template": result.plan.template,
        "control_share": ratio and ratio.control_share,
        "expected_control_share": ratio and ratio.expected_control_share,
        "sample_ratio_p": ratio and ratio.p_value,
        "sample_ratio_always_valid_p": ratio and ratio.always_valid_p,
        "verdict": result.decision.verdict,
        "reason": result.decision.reason,
        "decision": result.decision.sentence,
    }
    for metric in (*result.metrics, *result.revenue):
        planning = {"power": metric.power, "detectable_lift": metric.detectable_lift, "days_left": metric.days_left}
        # A metric with a longer window is judged up to an earlier day than one with a shorter.
        row = template | _metric(metric) | _days(metric.comparison, result)
        yield row | _comparison(metric.comparison) | planning | {"copy_id": None}
        for variant in metric.variants:
            yield row | _comparison(variant.comparison) | {"copy_id": variant.copy_id}


def _days(found: Comparison, result: TemplateResult) -> dict[str, date | None]:
    """First and last send day that a comparison is over; the template's where it does not tell its days."""
    days = {*(found.treatment.days or ()), *(found.control.days or ())}
    ends = (min(days), max(days)) if days else (result.first_day, result.last_day)
    return dict(zip(("first_day", "last_day"), ends, strict=True))


def _metric(metric: MetricResult) -> dict[str, Any]:
    return {name: getattr(metric, name) for name in ("metric", "window_hours", "is_own_window", "is_key")}


def _comparison(found: Comparison) -> dict[str, Any]:
    row: dict[str, Any] = {
        name: getattr(found, name)
        for name in (
            "p_value",
            "p_adjusted",
            "always_valid_p",
            "always_valid_p_adjusted",
            "variance",
            "is_enough",
            "note",
        )
    }
    for name in ("treatment", "control"):
        arm = getattr(found, name)
        row |= {
            f"{name}_messages": arm.messages,
            f"{name}_successes": arm.successes,
            f"{name}_rate": arm.rate,
            f"{name}_design_effect": arm.design_effect,
        }
    return row | _ends("difference", found.difference) | _ends("lift", found.lift)
