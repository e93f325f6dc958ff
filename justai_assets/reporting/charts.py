"""The charts: lift with its intervals, lift by day with its band, the funnel by day.

Shape says what colour says (▲ better, ▼ worse, ● undecided), for a print in black and for the colour-blind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from justai_assets.experiments.result_records import MetricResult
from justai_assets.reporting import number_words as words
from justai_assets.reporting.chart_svg import LIGHT, NARROW, altair, configured, days_axis, styled
from justai_assets.reporting.report_funnels import PublishedFunnel
from justai_assets.reporting.small_counts import hides

_PERCENT: Final = "datum.value == 0 ? '0 %' : replace(format(datum.value, '+.0%'), '%', ' %')"
STAGES: Final = (("opened", "Opened"), ("clicked", "Clicked"), ("converted", "Converted"))


@dataclass(frozen=True)
class Lift:
    """One line of a lift chart."""

    label: str
    value: float
    low: float
    high: float
    always_low: float
    always_high: float
    reading: str


def lift_of(label: str, metric: MetricResult, *, minimum: int, alpha: float) -> Lift | None:
    """The line of a metric; None when it must not or cannot be drawn."""
    found = metric.comparison
    estimate = found.lift
    if hides(found, minimum) or not found.is_enough or estimate.value is None:
        return None
    low, always_low = (-1.0 if end is None else end for end in (estimate.low, estimate.always_low))
    high, always_high = (10.0 if end is None else end for end in (estimate.high, estimate.always_high))
    reading = words.reading(found, metric.metric, alpha=alpha)
    return Lift(label, estimate.value, low, high, always_low, always_high, reading)


def lift_chart(lifts: Sequence[Lift], *, width: int, target: float) -> Any:
    """Points with both intervals, one line each; thick for one look, thin for a look every day."""
    alt = altair()

    rows = [line.__dict__ for line in lifts]
    # As wide as the one-look intervals and the target ask for, so that one vague metric does not flatten the others.
    low = min(-target, *(line.low - 0.35 * (line.value - line.low) for line in lifts))
    high = max(target, *(line.high + 0.35 * (line.high - line.value) for line in lifts))
    domain = [max(-1.0, low), min(high, 4.0)]
    names = [line.label for line in lifts]
    label_width = 150 if width > NARROW else 96
    y = alt.Y(
        "label:N",
        sort=names,
        title=None,
        axis=alt.Axis(labelLimit=label_width, domain=False, ticks=False, labelPadding=10, minExtent=label_width),
    )
    x = {"scale": alt.Scale(domain=domain, nice=False), "title": None}
    percent = alt.Axis(labelExpr=_PERCENT, tickCount=5 if width > NARROW else 3, domain=False, ticks=False)
    colour = alt.Color(
        "reading:N",
        legend=None,
        scale=alt.Scale(
            domain=["better", "worse", "undecided"], range=[LIGHT[k] for k in ("better", "worse", "undecided")]
        ),
    )
    shape = alt.Shape(
        "reading:N",
        legend=None,
        scale=alt.Scale(domain=["better", "worse", "undecided"], range=["triangle-up", "triangle-down", "circle"]),
    )
    base = alt.Chart(alt.Data(values=rows))
    zero = alt.Chart(alt.Data(values=[{}])).mark_rule(color=LIGHT["faint"], strokeWidth=1.5).encode(x=alt.datum(0))
    every_day = base.mark_rule(strokeWidth=2, clip=True).encode(
        x=alt.X("always_low:Q", axis=percent, **x), x2="always_high:Q", y=y, color=colour
    )
    one_look = base.mark_rule(strokeWidth=7, opacity=0.55, clip=True).encode(
        x=alt.X("low:Q", **x), x2="high:Q", y=y, color=colour
    )
    point = base.mark_point(size=110, filled=True, opacity=1, clip=True).encode(
        x=alt.X("value:Q", **x), y=y, color=colour, shape=shape
    )
    cut = alt.layer(*(_cut(base, end, side, y, colour, x) for end, side in zip(domain, ("left", "right"), strict=True)))
    return styled(alt.layer(zero, one_look, every_day, point, cut), width=width, height=max(46, 38 * len(lifts)))


def _cut(base: Any, end: float, side: str, y: Any, colour: Any, x: Mapping[str, Any]) -> Any:
    """An arrow at the edge of the drawing for each interval that goes on beyond it."""
    alt = altair()
    beyond = alt.datum.always_low < end if side == "left" else alt.datum.always_high > end
    arrows = base.transform_filter(beyond).mark_point(shape=f"triangle-{side}", size=70, filled=True, opacity=1)
    return arrows.encode(x=alt.X(datum=end, **x), y=y, color=colour)


def cumulative_chart(metric: MetricResult, *, width: int, target: float, minimum: int) -> Any | None:
    """The lift of all cohorts so far, day by day, with its always-valid band; None before there is enough to draw."""
    alt = altair()

    rows: list[dict[str, Any]] = []
    for one in metric.daily:
        estimate = one.comparison.lift
        if hides(one.comparison, minimum) or not one.comparison.is_enough or estimate.value is None:
            continue
        low, high = estimate.always_low, estimate.always_high
        rows.append(
            {"day": one.day.isoformat(), "value": estimate.value, "low": low, "high": 10.0 if high is None else high}
        )
    if len(rows) < 2:
        return None
    last = rows[-1]
    # The first days' band is wide as a barn; the later half sets the scale, the rest is cut off at the frame.
    later = rows[len(rows) // 2 :]
    low = max(-1.0, 1.15 * min(-target, *(row["low"] for row in later), *(row["value"] for row in rows)))
    high = min(4.0, 1.15 * max(target, *(row["high"] for row in later), *(row["value"] for row in rows)))
    days = [date.fromisoformat(row["day"]) for row in rows]
    x = alt.X("day:T", title=None, scale=alt.Scale(type="utc"), axis=days_axis(width, days))
    y = {"scale": alt.Scale(domain=[low, high], nice=False), "title": None}
    axis = alt.Axis(labelExpr=_PERCENT, tickCount=5, domain=False, ticks=False)
    base = alt.Chart(alt.Data(values=rows))
    band = base.mark_area(color=LIGHT["band"], opacity=0.55, clip=True).encode(
        x=x, y=alt.Y("low:Q", axis=axis, **y), y2="high:Q"
    )
    line = base.mark_line(color=LIGHT["better"], strokeWidth=2.5, clip=True).encode(x=x, y=alt.Y("value:Q", **y))
    constant = alt.Chart(alt.Data(values=[{}]))
    zero = constant.mark_rule(color=LIGHT["ink"], strokeWidth=1.5).encode(y=alt.datum(0))
    goal = constant.mark_rule(color=LIGHT["faint"], strokeDash=[5, 4]).encode(y=alt.datum(target))
    end = (
        alt.Chart(alt.Data(values=[last]))
        .mark_point(size=70, filled=True, color=LIGHT["better"], opacity=1)
        .encode(x=x, y=alt.Y("value:Q", **y))
    )
    return styled(alt.layer(band, zero, goal, line, end), width=width, height=210)


def funnel_chart(funnel: PublishedFunnel, *, width: int) -> Any | None:
    """Messages a day, and below them the share opened, clicked and converted, by send day; None when too small."""
    alt = altair()

    sent = [
        {"day": funnel.days[period.last].isoformat(), "value": period.total / period.length}
        for period in funnel.columns["sent"]
        if period.total
    ]
    if len(sent) < 2:
        return None
    x = alt.X("day:T", title=None, scale=alt.Scale(type="utc"), axis=days_axis(width, funnel.days))
    bare = alt.X(
        "day:T",
        title=None,
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(labels=False, ticks=False, grid=False, domain=False),
    )
    rates = {name: funnel.rates(name) for name, _ in STAGES}
    last_stage = [(name, label) for name, label in STAGES if len(rates[name]) > 1]

    def strip(title: str, chart: Any, *, labelled: bool, form: str) -> Any:
        axis = alt.Axis(format=form, tickCount=2, domain=False, ticks=False, minExtent=42, maxExtent=42)
        heading = alt.TitleParams(title, anchor="start", fontSize=12, fontWeight=600, color=LIGHT["ink"], offset=4)
        return chart.encode(
            x=x if labelled else bare, y=alt.Y("value:Q", title=None, axis=axis, scale=alt.Scale(zero=True))
        ).properties(width=width - 60, height=64, title=heading)

    strips = [
        strip(
            "Sent a day",
            alt.Chart(alt.Data(values=sent)).mark_bar(
                color=LIGHT["bar"], size=max(3, (width - 80) / len(funnel.days) * 0.7)
            ),
            labelled=not last_stage,
            form="~s",
        )
    ]
    for at, (name, label) in enumerate(last_stage):
        rows = [{"day": day.isoformat(), "value": value} for day, value in rates[name]]
        chart = alt.Chart(alt.Data(values=rows)).mark_line(
            color=LIGHT["better"], strokeWidth=2.2, point={"size": 18, "color": LIGHT["better"], "filled": True}
        )
        strips.append(strip(f"{label}, share of messages", chart, labelled=at == len(last_stage) - 1, form=".1~%"))
    return configured(alt.vconcat(*strips, spacing=16).resolve_scale(x="shared"))
