"""A figure by its name, as the two tables that every screen reads give it, and what a cell's text says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

import polars as pl

from justai_assets.contract.tables import ATTRIBUTION_METRICS, COPY_DAILY, EXPERIMENT_RESULTS, FATES, Table
from justai_assets_tests.e2e.mixed_week import SENDS
from justai_assets_tests.world import World

SMALL = range(1, 20)
"""Counts that a report hides."""


@dataclass(frozen=True)
class Cohort:
    """Messages of a template and what they did; None stands for all: templates (each message once), arms, copies."""

    template: str | None
    metric: str
    window: int = 72
    arm: str | None = None
    copy: str | None = None
    first: date = SENDS.first
    last: date = SENDS.last


@dataclass(frozen=True)
class Figures:
    """The figures of one org."""

    world: World
    org: str

    def table(self, table: Table) -> pl.DataFrame:
        """All rows of a table."""
        return self.world.lake.scan(self.org, table).collect()

    @cached_property
    def _copies(self) -> list[dict[str, Any]]:
        return self.table(COPY_DAILY).to_dicts()

    @cached_property
    def results(self) -> dict[tuple[str | None, str, int, str | None], dict[str, Any]]:
        """experiment_results by template, metric, window and copy."""
        rows = self.table(EXPERIMENT_RESULTS).to_dicts()
        found = {(row["template"], row["metric"], row["window_hours"], row["copy_id"]): row for row in rows}
        assert len(found) == len(rows)
        return found

    @cached_property
    def fates(self) -> pl.DataFrame:
        """The ledger."""
        return self.table(FATES)

    @cached_property
    def events(self) -> pl.DataFrame:
        """attribution_metrics."""
        return self.table(ATTRIBUTION_METRICS)

    def cohort(self, of: Cohort) -> dict[str, Any]:
        """messages, successes (None: not known) and value of a cohort, by copy_daily."""
        rows = [
            row
            for row in self._copies
            if row["template"] == of.template
            and (row["metric"], row["window_hours"]) == (of.metric, of.window)
            and of.first <= row["send_date"] <= of.last
            and of.arm in (None, row["arm"])
            and of.copy in (None, row["copy_id"])
        ]
        known = [row["successes"] for row in rows if row["successes"] is not None]
        return {
            "messages": sum(row["messages"] for row in rows),
            "successes": sum(known) if len(known) == len(rows) else None,
            "value": sum(row["value"] for row in rows) if of.metric.startswith("revenue:") else None,
        }

    def rate(self, of: Cohort) -> float | None:
        """Successes a message, or value a message."""
        found = self.cohort(of)
        counted = found["successes"] if found["value"] is None else found["value"]
        return counted / found["messages"] if found["messages"] else None

    def metrics(self) -> Iterator[Cohort]:
        """Every template, metric, window, arm and copy of copy_daily over the week, each once."""
        found = {
            Cohort(row["template"], row["metric"], row["window_hours"], row["arm"], row["copy_id"])
            for row in self._copies
            if row["template"] is not None
        }
        yield from sorted(found, key=lambda one: str(one))

    def own_window(self, template: str, metric: str) -> int:
        """The window that the org decides by."""
        (window,) = {
            row["window_hours"]
            for row in self._copies
            if row["is_own_window"] and (row["template"], row["metric"]) == (template, metric)
        }
        return int(window)

    def daily(self, of: Cohort) -> Iterator[tuple[date, dict[str, Any]]]:
        """A cohort day by day."""
        for day in SENDS:
            yield day, self.cohort(replace(of, first=day, last=day))


def is_hidden(text: str) -> bool:
    """Whether a report's cell says that it does not show its figure."""
    return text in ("–", "not shown", "hidden: a small count", "moved by under 20") or text.startswith("under 20")


def says(text: str, number: float | None) -> bool:
    """Whether a text is a number as exactly as it is written; nothing is written for None.

    >>> says("12.3 %", 0.1234), says("12.3 %", 0.1236), says("–", None), says("1,234", 1234)
    (True, False, True, True)
    """
    plain = re.sub(r"[\s,]", "", text).replace("−", "-")
    if number is None:
        return plain in ("–", "")
    if plain == "under0.001":
        return number < 0.001
    found = re.fullmatch(r"([+-]?\d+(?:\.(\d+))?)(%?)", plain)
    if found is None:
        return False
    scale = 100 if found[3] else 1
    step = 10.0 ** -len(found[2] or "")
    return abs(float(found[1]) - number * scale) <= step / 2 + 1e-9 * max(1.0, abs(number * scale))


def says_range(text: str, low: float | None, high: float | None) -> bool:
    """Whether a text is an interval of a lift; an end that is not known is said in words."""
    if low is None and high is None:
        return text in ("not yet known", "anything")
    if text == "anything":
        return (low is None or low <= -1) and high is None
    left, _, right = text.partition(" to ")
    ends = ((left, low), (right, high))
    return all(one == "any" if end is None else says(one, end) for one, end in ends)
