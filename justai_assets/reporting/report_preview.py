"""The report's preview: one picture for an asset's metadata, a chat, a mail."""

from __future__ import annotations

from justai_assets.reporting import chart_svg as drawing
from justai_assets.reporting import charts
from justai_assets.reporting.lift_groups import key_lifts
from justai_assets.reporting.report_data import ReportData


def preview_png(data: ReportData, *, scale: float = 2.0) -> bytes:
    """The lift of every template's key metric, with its decision, as PNG.

    Args:
        data: what the report is made of.
        scale: pixels a point; 2 is sharp on most screens.

    Returns:
        A PNG on white, 660 points wide. Without anything to compare it says so.
    """
    lifts = key_lifts(data)
    title = f"What won at {data.org}"
    period = f"sends up to {data.last_day:%Y-%m-%d}"
    if not lifts:
        return drawing.png(
            drawing.words_chart(title, f"{period[0].upper()}{period[1:]}. Nothing to compare yet."), scale=scale
        )
    chart = charts.lift_chart(lifts, width=drawing.WIDE, target=data.rules.target_lift)
    subtitle = [f"Lift of the key metric over the control, {period}", "thin line: holds however often you look"]
    return drawing.png(drawing.titled(chart, title, subtitle), scale=scale)
