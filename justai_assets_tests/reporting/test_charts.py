"""What the charts draw."""

from __future__ import annotations

import re

import pytest

from justai_assets.reporting import chart_svg as drawing
from justai_assets.reporting.charts import Lift, lift_chart


def points(*lifts: Lift) -> int:
    """How many marks of the chart are points: one a line, and one for every end that goes on beyond the drawing."""
    drawn = drawing.svg(lift_chart(lifts, width=drawing.WIDE, target=0.1), "x")
    return len(re.findall(r'<path transform="translate\(', drawn))


@pytest.mark.parametrize(("low", "high", "arrows"), [(0.05, 0.16, 0), (0.01, 0.82, 1), (-0.9, 0.82, 2)])
def test_an_interval_that_goes_on_beyond_the_drawing_has_an_arrow_where_it_is_cut(
    low: float, high: float, arrows: int
) -> None:
    assert points(Lift("click", 0.1, 0.05, 0.15, low, high, "undecided")) == 1 + arrows
