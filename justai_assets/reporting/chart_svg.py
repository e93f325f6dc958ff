"""From a chart to SVG in the page's colours, or to a picture.

Why SVG and not a live chart: a live Vega chart carries 800 KB of script into every file and says nothing without it.
Drawn ahead, a chart is about 10 KB, prints, and needs no permission to run.

Colours: the charts use the colours of LIGHT; each is then replaced by the CSS variable of that name, so the page's
light and dark palettes apply. Blue and vermilion are Okabe and Ito's, told apart by every kind of colour blindness.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from justai_assets.reporting.chart_process import paint

LIGHT: Final = {
    "better": "#0072b2",
    "worse": "#c8500a",
    "undecided": "#6b7280",
    "band": "#9cc7e4",
    "ink": "#1b2430",
    "faint": "#5b6673",
    "grid": "#dfe4ea",
    "bar": "#c3ccd6",
}
"""The light palette; names are those of the CSS variables (--chart-…) in style.css."""

WIDE, NARROW = 660, 320


def altair() -> Any:
    """Altair, untyped: its generated signatures name every literal, and mypy follows none of the ways to build them."""
    import altair as found

    return found


def styled(chart: Any, *, width: int, height: int) -> Any:
    """The chart at its size, in the report's dress."""
    return configured(chart.properties(width=width - 60, height=height))


def configured(chart: Any) -> Any:
    """The report's dress alone, for a chart whose parts have sizes."""
    return (
        chart.properties(background="transparent")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=LIGHT["faint"],
            gridColor=LIGHT["grid"],
            labelFontSize=12,
            labelFont="sans-serif",
            titleFont="sans-serif",
        )
        .configure_axisY(labelColor=LIGHT["ink"])
    )


def days_axis(width: int, days: Sequence[date]) -> Any:
    """A time axis with as many of the days named as fit, the last one always, each once."""
    alt = altair()

    step = -(-len(days) // (6 if width > NARROW else 3))
    named = sorted(days)[::-1][::step]
    return alt.Axis(
        format="%-d %b",
        values=[calendar.timegm(day.timetuple()) * 1000 for day in named],
        grid=False,
        domain=False,
        tickColor=LIGHT["grid"],
        labelFlush=True,
    )


def titled(chart: Any, title: str, subtitle: Sequence[str]) -> Any:
    """The chart under a title, for a picture that stands alone."""
    heading = {"text": title, "subtitle": list(subtitle), "anchor": "start", "fontSize": 20, "subtitleFontSize": 13}
    colours = {"color": LIGHT["ink"], "subtitleColor": LIGHT["faint"], "offset": 18, "subtitlePadding": 6}
    return chart.properties(title=heading | colours)


def words_chart(title: str, text: str) -> Any:
    """A picture of words, where there is nothing to draw."""
    alt = altair()
    blank = alt.Chart(alt.Data(values=[{}])).mark_point(opacity=0)
    return titled(styled(blank, width=WIDE, height=20), title, [text])


def svg(chart: Any, name: str) -> str:
    """The chart as SVG for inlining: colours are CSS variables, ids carry the chart's name, sizes follow the page."""
    drawn = paint("svg", chart.to_dict(validate=False)).decode()
    for token, colour in LIGHT.items():
        drawn = re.sub(rf'"{colour}"', f'"var(--chart-{token})"', drawn, flags=re.IGNORECASE)
    # The library counts its clips over the life of the process; numbered anew, the same data gives the same file.
    for at, clip in enumerate(dict.fromkeys(re.findall(r'id="(\w+)"', drawn))):
        drawn = re.sub(rf'id="{clip}"', f'id="{name}-{at}"', drawn).replace(f"url(#{clip})", f"url(#{name}-{at})")
    # Only the viewBox stays, so the drawing shrinks with its column; marks need no names inside a role="img".
    head, body = drawn.split(">", 1)
    head = re.sub(r'\s(width|height|class|version|xmlns:xlink)="[^"]*"', "", head)
    body = re.sub(r'\s(aria-[a-z]+|role|class|font-family)="[^"]*"', "", body)
    return f'{head} aria-hidden="true" focusable="false">{body}'


def png(chart: Any, *, scale: float = 2.0) -> bytes:
    """The chart as PNG on white."""
    return paint("png", chart.to_dict(validate=False) | {"background": "#ffffff", "padding": 24}, scale=scale)
