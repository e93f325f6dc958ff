"""The report as one HTML file: no script, no network, nothing but what is in it."""

from __future__ import annotations

from typing import Any

from justai_assets.experiments import metric_names as metrics
from justai_assets.experiments.all_templates import OverallResult
from justai_assets.experiments.false_discovery import DECIDED_ALONE
from justai_assets.experiments.result_records import Comparison, MetricResult, TemplateResult
from justai_assets.reporting import chart_svg as drawing
from justai_assets.reporting import charts
from justai_assets.reporting import number_words as words
from justai_assets.reporting.lift_groups import key_lifts, metric_lifts
from justai_assets.reporting.report_data import ReportData, Restatement
from justai_assets.reporting.report_funnels import PublishedFunnel, publish
from justai_assets.reporting.small_counts import folded, hides, is_small, shown_variants, shown_windows

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
        loader=PackageLoader("justai_assets", "reporting"),
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
    funnel, funnels = publish(data)
    both = zip(data.templates, funnels, strict=True)
    return environment.get_template("report.html.j2").render(
        data=data,
        style=Markup(style),  # noqa: S704 - our own file
        verdicts=words.VERDICTS,
        decided_alone=DECIDED_ALONE,
        fates=folded(data.fates, data.minimum_cell),
        templates=[_template(at, one, found, data) for at, (one, found) in enumerate(both)],
        overview=_overview(data),
        overall=[_overall(one) for one in data.overall if one.lift.value is not None],
        funnel=_funnel("org-funnel", funnel),
        moved=[_moved(one, data.minimum_cell) for one in data.restatements],
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
        "wide": Markup(drawing.svg(wide, f"{name}-w")),  # noqa: S704 - our own SVG
        "narrow": Markup(drawing.svg(narrow, f"{name}-n")),  # noqa: S704 - our own SVG
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


def _template(at: int, result: TemplateResult, funnel: PublishedFunnel | None, data: ReportData) -> dict[str, Any]:
    minimum, alpha = data.minimum_cell, data.rules.alpha
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
    if key is not None and result.is_readable:
        cumulative = _drawing(
            f"t{at}-days",
            f"Lift of {metrics.label(key.metric)} over all sends so far, by day; the numbers are in the table.",
            lambda width: charts.cumulative_chart(key, width=width, target=data.rules.target_lift, minimum=minimum),
        )
    return {
        "result": result,
        "id": f"template-{at}",
        "key": None if key is None else _metric(key, minimum, alpha),
        "compared": result.is_readable,
        "rows": rows,
        "windows": _windows(result, minimum, alpha),
        "revenue": [_amount(one, minimum, alpha) for one in result.revenue],
        "variants": _variants(key, minimum, alpha),
        "more_variants": key is not None and len(_variants(key, minimum, alpha)) < len(key.variants),
        "lift": lift,
        "cumulative": cumulative,
        "daily": _daily(key, minimum),
        "funnel": _funnel(f"t{at}-funnel", funnel),
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
    reading = words.HIDDEN if hidden else words.reading(found, metric, alpha=alpha)
    messages = [arm.messages for arm in (found.treatment, found.control)]
    # Both or none: the funnel has them together, and one would give the other back.
    known = not any(is_small(count, minimum) for count in messages)
    said = [words.cell(count, minimum) if known else f"under {minimum} in an arm" for count in messages]
    cells = {
        "hidden": hidden,
        "reading": reading,
        "variance": words.variance(found),
        "treatment_messages": said[0],
        "control_messages": said[1],
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


def _amount(metric: MetricResult, minimum: int, alpha: float) -> dict[str, Any]:
    """What a message brought: amounts in the place of rates, and no count of messages that brought any."""
    shown = _metric(metric, minimum, alpha)
    if not shown["hidden"]:
        arms = (("treatment", metric.comparison.treatment), ("control", metric.comparison.control))
        shown |= {f"{name}_rate": words.amount(arm.rate) for name, arm in arms}
    return shown


def _windows(result: TemplateResult, minimum: int, alpha: float) -> list[dict[str, Any]]:
    rows = [one for one in result.metrics if metrics.is_conversion(one.metric)]
    if all(one.is_own_window for one in rows):
        return []
    events = sorted({one.metric for one in rows})
    shown = {name: shown_windows([one for one in rows if one.metric == name], minimum) for name in events}
    return [
        _metric(one, minimum, alpha) | {"is_own": one.is_own_window}
        for name in events
        for one in sorted(shown[name], key=lambda one: one.window_hours)
    ]


def _variants(key: MetricResult | None, minimum: int, alpha: float) -> list[dict[str, Any]]:
    if key is None:
        return []
    shown = sorted(
        shown_variants(key.variants, key.comparison.treatment, minimum),
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


def _funnel(name: str, funnel: PublishedFunnel | None) -> dict[str, Any] | None:
    """The funnel's chart and table; a cell spans the days it was merged over, None where an earlier one covers it."""
    if funnel is None:
        return None
    columns, cells = [], []
    for field, label in _COLUMNS:
        if field not in funnel.columns:
            continue
        columns.append(label)
        column: list[dict[str, Any] | None] = [None] * len(funnel.days)
        for period in funnel.columns[field]:
            text = words.NOT_SHOWN if period.total is None else words.count(period.total)
            column[period.first] = {"span": period.length, "text": text}
        cells.append(column)
    return {
        "columns": columns,
        "rows": [{"day": day, "cells": [column[at] for column in cells]} for at, day in enumerate(funnel.days)],
        "chart": _drawing(
            name,
            "Messages sent a day, and the share of them opened, clicked and converted, by send day.",
            lambda width: charts.funnel_chart(funnel, width=width),
        ),
    }


def _moved(found: Restatement, minimum: int) -> dict[str, Any]:
    """Both numbers, unless one of them or what lies between them is small; no amounts."""
    if found.before is None or found.after is None:
        return {"row": found, "before": words.NOT_SHOWN, "after": words.NOT_SHOWN}
    before, after = words.cell(found.before, minimum), words.cell(found.after, minimum)
    if is_small(abs(found.after - found.before), minimum) and found.before >= minimum:
        before = f"moved by under {minimum}"
    return {"row": found, "before": before, "after": after}


def _overall(found: OverallResult) -> dict[str, Any]:
    return {
        "label": metrics.label(found.metric),
        "reading": found.reading,
        "templates": found.templates,
        "messages": words.count(found.messages),
        "lift": words.change(found.lift.value),
        "every_day": words.interval(found.lift, always=True),
        "p": words.p_value(found.always_valid_p_adjusted),
        "variance": words.VARIANCES[found.variance],
        "note": found.note,
    }
