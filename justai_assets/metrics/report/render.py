"""The report as one HTML file: no script, no network, nothing but what is in it."""

from __future__ import annotations

from typing import Any

from justai_assets.metrics.experiments import metric as metrics
from justai_assets.metrics.experiments.results import Comparison, MetricResult, TemplateResult
from justai_assets.metrics.report import charts, drawing, words
from justai_assets.metrics.report.cells import folded, hides, merged, shown_variants
from justai_assets.metrics.report.data import FunnelDay, ReportData, TemplateReport
from justai_assets.metrics.report.lifts import is_readable, key_lifts, metric_lifts

_COLUMNS = (
    ("sent", "Sent"),
    ("opened", "Opened"),
    ("machine_opened", "Machine opens"),
    ("clicked", "Clicked"),
    ("converted", "Converted"),
    ("unsubscribed", "Unsubscribed"),
)


def render_report(data: ReportData) -> str:
    """The report of an org.

    Args:
        data: aggregates (data.py).

    Returns:
        A complete HTML document: styles and drawings inline, light and dark by the reader's setting, no script; its
        content policy forbids every request. All text is escaped. Counts of 1 up to below `minimum_cell` do not occur
        in it, nor rates over them.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("justai_assets.metrics", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": words.count,
        "cell": lambda value: words.cell(value, data.minimum_cell),
        "rate": words.rate,
        "change": words.change,
        "day": words.day,
        "moment": words.moment,
        "p": words.p_value,
        "days": words.days,
    }
    loader = environment.loader
    assert loader is not None
    style = loader.get_source(environment, "style.css")[0]
    return environment.get_template("report.html.j2").render(
        data=data,
        style=Markup(style),  # noqa: S704 our own file
        verdicts=words.VERDICTS,
        fates=folded(data.fates, data.minimum_cell),
        templates=[_template(at, one, data) for at, one in enumerate(data.templates)],
        overview=_overview(data),
        overall=[_overall(one) for one in data.overall if one.lift.value is not None],
        funnel=_funnel("org-funnel", data.funnel, data),
    )


def _drawing(name: str, alt_text: str, make: Any) -> dict[str, Any] | None:
    """Both sizes of a chart, ready for inlining; None when there is nothing to draw."""
    from markupsafe import Markup

    wide, narrow = make(drawing.WIDE), make(drawing.NARROW)
    if wide is None or narrow is None:
        return None
    # SVG made by Vega from our own specification: Vega escapes the text in it.
    return {
        "alt": alt_text,
        "wide": Markup(drawing.svg(wide, f"{name}-w")),  # noqa: S704
        "narrow": Markup(drawing.svg(narrow, f"{name}-n")),  # noqa: S704
    }


def _overview(data: ReportData) -> dict[str, Any] | None:
    lines = key_lifts(data)
    if len(lines) < 2:
        return None
    said = " ".join(f"{one.label}: {words.change(one.value)}, {one.reading}." for one in lines)
    return _drawing(
        "overview",
        f"Lift of the key metric by template. {said}",
        lambda width: charts.lift_chart(lines, width=width, target=data.rules.target_lift),
    )


def _template(at: int, report: TemplateReport, data: ReportData) -> dict[str, Any]:
    result, minimum, alpha = report.result, data.minimum_cell, data.rules.alpha
    own = [one for one in result.metrics if one.is_own_window]
    rows = [_metric(one, minimum, alpha) for one in own]
    key = result.key
    lift = cumulative = None
    lines = metric_lifts(result, data)
    if lines:
        lift = _drawing(
            f"t{at}-lift",
            "Lift by metric, with its intervals; the numbers are in the table.",
            lambda width: charts.lift_chart(lines, width=width, target=data.rules.target_lift),
        )
    if key is not None and is_readable(result):
        cumulative = _drawing(
            f"t{at}-days",
            f"Lift of {metrics.label(key.metric)} over all sends so far, by day; the numbers are in the table.",
            lambda width: charts.cumulative_chart(key, width=width, target=data.rules.target_lift, minimum=minimum),
        )
    return {
        "result": result,
        "id": f"template-{at}",
        "key": None if key is None else _metric(key, minimum, alpha),
        "compared": is_readable(result),
        "rows": rows,
        "windows": _windows(result, minimum, alpha),
        "variants": _variants(key, minimum, alpha),
        "more_variants": key is not None and len(shown_variants(key.variants, minimum)) < len(key.variants),
        "lift": lift,
        "cumulative": cumulative,
        "daily": _daily(key, minimum),
        "funnel": _funnel(f"t{at}-funnel", report.funnel, data),
    }


def _metric(metric: MetricResult, minimum: int, alpha: float) -> dict[str, Any]:
    hidden = hides(metric.comparison, minimum)
    return {
        "label": metrics.label(metric.metric),
        "is_key": metric.is_key,
        "window": metric.window_hours,
        # Planning figures follow from the counts, and would give small ones away.
        "days_left": words.NOTHING if hidden else words.days(metric.days_left),
        "detectable": words.NOTHING if hidden else words.change(metric.detectable_lift),
    } | _comparison(metric.comparison, metric.metric, minimum, alpha)


def _comparison(found: Comparison, metric: str, minimum: int, alpha: float) -> dict[str, Any]:
    hidden = hides(found, minimum)
    reading = "too few" if hidden else words.reading(found, metric, alpha=alpha)
    cells = {
        "hidden": hidden,
        "reading": reading,
        "variance": "by person" if found.variance == "user" else "by message",
        "treatment_messages": words.cell(found.treatment.messages, minimum),
        "control_messages": words.cell(found.control.messages, minimum),
        "note": found.note,
    }
    if hidden:
        return cells | dict.fromkeys(
            ("treatment_rate", "control_rate", "lift", "one_look", "every_day", "p"), words.NOTHING
        )
    anytime = found.always_valid_p if found.always_valid_p_adjusted is None else found.always_valid_p_adjusted
    return cells | {
        "treatment_rate": words.rate(found.treatment.rate),
        "control_rate": words.rate(found.control.rate),
        "lift": words.change(found.lift.value),
        "one_look": words.interval(found.lift, always=False),
        "every_day": words.interval(found.lift, always=True),
        "p": words.p_value(anytime),
    }


def _windows(result: TemplateResult, minimum: int, alpha: float) -> list[dict[str, Any]]:
    rows = [one for one in result.metrics if metrics.is_conversion(one.metric)]
    if all(one.is_own_window for one in rows):
        return []
    rows.sort(key=lambda one: (one.metric, one.window_hours, not one.is_own_window))
    return [_metric(one, minimum, alpha) | {"is_own": one.is_own_window} for one in rows]


def _variants(key: MetricResult | None, minimum: int, alpha: float) -> list[dict[str, Any]]:
    if key is None:
        return []
    shown = sorted(
        shown_variants(key.variants, minimum),
        key=lambda one: one.comparison.treatment.rate or 0.0,
        reverse=metrics.higher_is_better(key.metric),
    )
    return [{"name": one.copy_id} | _comparison(one.comparison, key.metric, minimum, alpha) for one in shown]


def _daily(key: MetricResult | None, minimum: int) -> list[dict[str, Any]]:
    if key is None:
        return []
    return [
        {
            "day": one.day,
            "lift": words.change(one.comparison.lift.value),
            "band": words.interval(one.comparison.lift, always=True),
        }
        for one in key.daily
        if one.comparison.is_enough and not hides(one.comparison, minimum)
    ]


def _funnel(name: str, days: tuple[FunnelDay, ...], data: ReportData) -> dict[str, Any] | None:
    """The funnel's chart and table; a cell spans the days it was merged over, None where an earlier one covers it."""
    days = tuple(sorted(days, key=lambda one: one.day))
    if not days:
        return None
    minimum = data.minimum_cell
    columns, cells = [], []
    for field, label in _COLUMNS:
        values = [getattr(one, field) for one in days]
        if all(value is None for value in values):
            continue
        columns.append(label)
        column: list[dict[str, Any] | None] = [None] * len(days)
        for period in merged([value or 0 for value in values], minimum):
            text = f"under {minimum}" if period.total is None else words.count(period.total)
            column[period.first] = {"span": period.length, "text": text}
        cells.append(column)
    return {
        "columns": columns,
        "rows": [{"day": one.day, "cells": [column[at] for column in cells]} for at, one in enumerate(days)],
        "chart": _drawing(
            name,
            "Messages sent a day, and the share of them opened, clicked and converted, by send day.",
            lambda width: charts.funnel_chart(days, width=width, minimum=minimum),
        ),
    }


def _overall(found: Any) -> dict[str, Any]:
    return {
        "label": metrics.label(found.metric),
        "templates": found.templates,
        "messages": words.count(found.messages),
        "lift": words.change(found.lift.value),
        "every_day": words.interval(found.lift, always=True),
        "p": words.p_value(found.always_valid_p_adjusted),
    }
