"""A report's cells against the figures that they show: which tables it has, in which columns, and what is hidden."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from justai_assets_tests.e2e.figures import Figures, is_hidden, says, says_range
from justai_assets_tests.e2e.page import Page, Table

ARM = {"New copy": "treatment", "Control": "control"}
RANGES = {"If you look once": ("lift_low", "lift_high"), "Holds every day": ("lift_always_low", "lift_always_high")}
METRICS = [
    "Metric", "Reading", "New copy", "Control", "Lift", "If you look once", "Holds every day", "p, corrected",
    "Messages, new copy", "Messages, control", "Counts within", "Smallest lift it would show", "More days for +10.0 %",
    "Variance",
]  # fmt: skip
HEADERS = {
    "Metrics": METRICS,
    "Rates": ["Metric", "Rate", "Messages", "Counts within"],
    "Lift": ["Sends up to", "Lift", "Holds every day"],
    "Copies": ["Copy", "Reading", "", "Lift", "Holds every day", "p, corrected", "Messages"],
    "Windows": ["Event", "Within", "New copy", "Control", "Lift", "Holds every day"],
    "Revenue": ["Amount", *METRICS[1:8], "Counts within", "Variance"],
    "All": ["Metric", "Reading", "Templates", "Messages", "Lift", "Holds every day", "p, corrected", "Variance"],
    "Completeness": ["Door", "Days with data", "Latest day", "Late records"],
    "Fates": ["Records of", "Door", "Fate", "Records"],
    "Restated": ["Day", "Number", "Before", "Now", "Because of"],
}
FUNNEL = {
    "Sent": "messages", "Opened": "open", "Machine opens": "machine_open", "Clicked": "click",
    "Converted": "any_conversion", "Unsubscribed": "unsubscribe",
}  # fmt: skip


@dataclass
class Report:
    """An org's report, and what of each figure it showed or hid."""

    figures: Figures
    page: Page
    shown: dict[object, set[bool]] = field(default_factory=lambda: defaultdict(set))

    def check(self, key: object, text: str, number: float | None) -> None:
        """A cell is its figure, or hidden."""
        if is_hidden(text) and number is not None:
            self.shown[key].add(False)
            return
        assert says(text, number), (key, text, number)
        if number is not None:
            self.shown[key].add(True)

    def check_range(self, key: object, text: str, low: float | None, high: float | None) -> None:
        if text == "–":
            self.shown[key].add(False)
            return
        assert says_range(text, low, high), (key, text, low, high)
        self.shown[key].add(True)

    def tables(self, kind: str) -> Iterator[tuple[str, Table]]:
        """(template, table) of the tables of a kind, whose columns are those that are known."""
        for table in self.page.tables:
            if table.name.split()[0] == kind:
                header = [*HEADERS[kind]] if kind in HEADERS else None
                if kind == "Copies":
                    header[2] = table.header[2]
                assert header in (None, table.header), table.name
                yield table.name.rpartition(" of ")[2], table

    def metric(self, template: str, label: str) -> tuple[str, int]:
        """The metric, and its own window, that a row is about."""
        name = label.removesuffix(" (decides)")
        known = {"Opened": "open", "Clicked": "click", "Unsubscribed": "unsubscribe"}
        is_amount = name.startswith("Value of ")
        metric = known.get(name) or (f"revenue:{name[9:]}" if is_amount else f"conversion:{name}")
        return metric, self.figures.own_window(template, metric)
