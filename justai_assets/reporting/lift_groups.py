"""Which lifts may be drawn together: one line a template, or one a metric."""

from __future__ import annotations

from justai_assets.experiments import metric_names as metrics
from justai_assets.experiments.result_records import TemplateResult
from justai_assets.reporting.charts import Lift, lift_of
from justai_assets.reporting.report_data import ReportData


def key_lifts(data: ReportData) -> list[Lift]:
    """The key metric of every template that can be read and shown, in the report's order."""
    found = [
        lift_of(result.plan.template, result.key, minimum=data.minimum_cell, alpha=data.rules.alpha)
        for result in data.templates
        if result.is_readable and result.key is not None
    ]
    return [one for one in found if one is not None]


def metric_lifts(result: TemplateResult, data: ReportData) -> list[Lift]:
    """Every metric of a template in the org's own window; empty when nothing may be compared."""
    if not result.is_readable:
        return []
    found = [
        lift_of(metrics.label(one.metric), one, minimum=data.minimum_cell, alpha=data.rules.alpha)
        for one in result.metrics
        if one.is_own_window
    ]
    return [one for one in found if one is not None]
