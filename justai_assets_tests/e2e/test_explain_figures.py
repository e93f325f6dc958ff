"""`justai explain` says of every figure what the tables say, and recounts it from messages, events and objects.

Every line is looked at: one that the test does not know fails it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from justai_assets.contract.events import OPENS
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, COHORT_RESTATEMENTS
from justai_assets.reporting.explain_cohort import CohortFigure, explain_cohort
from justai_assets.reporting.explain_event import Number, explain_number
from justai_assets_tests.e2e.figures import Cohort, Figures, says
from justai_assets_tests.e2e.mixed_week import BUILT, JOINED, SENDS, UNIFIED
from justai_assets_tests.world import World

pytestmark = pytest.mark.slow

DAYS = (SENDS.first, SENDS.first + timedelta(days=1), SENDS.last)
WORTH = r"(?:, worth (?P<worth>[\d,.]+))?"
SAID = {
    "arm": rf"(?P<arm>\w+) \(template \d+, campaign \d+\): (?P<won>.+) of (?P<sent>\d+) messages{WORTH}, says copy_daily",
    "copy": rf"  copy (?P<copy>\S+): (?P<won>.+) of (?P<sent>\d+){WORTH}",
    "outcomes": rf"  message_outcomes holds (?P<won>\d+) of (?P<sent>\d+) messages{WORTH}",
    "events": rf"    (?P<events>\d+) events of (?P<won>\d+) messages{WORTH} followed",
    "object": r"    (?P<events>\d+) from \S+",
    "moved": r"restated .+ UTC: (?P<number>\w+) of (?P<arm>\w+)(?:, copy (?P<copy>\S+),)? (?P<before>\S+) → "
    r"(?P<after>\S+), because of .+",
    "text": r"    messages: .+|rule: .+|    from the objects of databricks for .+",
}


@pytest.fixture(scope="module", params=[JOINED, UNIFIED])
def figures(request: pytest.FixtureRequest, mixed: World) -> Figures:
    return Figures(mixed, request.param)


def told(line: str) -> tuple[str, dict[str, str | None]]:
    """Which line it is, and what it says."""
    for name, pattern in SAID.items():
        if found := re.fullmatch(pattern, line):
            return name, found.groupdict()
    raise AssertionError(line)


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_figure_of_a_send_day_is_recounted(figures: Figures, day: date) -> None:
    org, lake = figures.world.orgs[figures.org], figures.world.lake
    sent = [replace(one, first=day, last=day) for one in figures.metrics()]
    sent = [one for one in sent if figures.cohort(one)["messages"]]
    moves = figures.table(COHORT_RESTATEMENTS).filter(send_date=day)
    for template, metric, window in sorted({(one.template, one.metric, one.window) for one in sent}):
        name = metric.removeprefix("conversion:")
        head, *lines = explain_cohort(org, lake, CohortFigure(str(template), name, day, window=window))
        assert head == (
            f"{name} within {window} h of the send, messages of {template} sent on {day} (UTC), {figures.org}"
        )
        seen, moved, at_objects = set(), 0, 0
        arm = whole = Cohort(template, metric, window, first=day, last=day)
        for line in lines:
            kind, said = told(line)
            if kind == "arm":
                arm = replace(whole, arm=said["arm"])
            if kind in ("arm", "copy", "outcomes", "events"):
                of = replace(arm, copy=said["copy"]) if kind == "copy" else arm
                truth = figures.cohort(of)
                assert said["won"] == ("not known" if truth["successes"] is None else str(truth["successes"])), line
                assert kind == "events" or said["sent"] == str(truth["messages"]), line
                assert says(said["worth"] or "", truth["value"]), line
                seen |= {of} if kind in ("arm", "copy") else set()
            if kind == "events":
                at_objects = int(said["events"] or 0)
            if kind == "object":
                at_objects -= int(said["events"] or 0)
            moved += kind == "moved"
            if kind not in ("events", "object") and not line.startswith("    "):
                assert at_objects == 0 or figures.org == UNIFIED, "the objects add up to the events"
                at_objects = 0
        mine = [one for one in sent if (one.template, one.metric, one.window) == (template, metric, window)]
        assert seen == {one for one in mine if one.copy} | {replace(one, copy=None) for one in mine}
        is_mine = (pl.col("metric") == metric) & (pl.col("window_hours") == window)
        assert moved == moves.filter(pl.col("template") == template, is_mine | pl.col("metric").is_null()).height


def test_a_figure_is_asked_for_by_the_name_that_the_table_gives_it(figures: Figures) -> None:
    org, lake, day = figures.world.orgs[figures.org], figures.world.lake, SENDS.first
    template = org.templates[0]
    by_name, by_metric = (
        list(explain_cohort(org, lake, CohortFigure(template.id, name, day)))[1:]
        for name in (str(template.key_metric), f"conversion:{template.key_metric}")
    )
    assert by_name == by_metric


NUMBER = {
    "arm": r"(?P<arm>\w+) \(template (?P<template>\d+), campaign (?P<campaign>\d+)\): (?P<events>\d+) events",
    "conversions": r"  conversions: (?P<windows>.+); the org's own window is (?P<own>\d+) h",
    "held": r"  \w+ holds (?P<events>\d+) of them, of (?P<messages>\d+) messages",
    "object": r"    (?P<events>\d+) from \S+",
    "nobody": r"no message of any template: (?P<events>\d+) (?P<reason>\w+)\. .+",
    "text": r"    messages: .+|rule: .+|restated .+|    from the drops of databricks for .+ \(.+\)",
}


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_figure_of_a_day_of_events_is_recounted(figures: Figures, day: date) -> None:
    org, lake = figures.world.orgs[figures.org], figures.world.lake
    rows = figures.events.filter(event_date=day)
    for template in org.templates:
        for event in sorted({*rows["event_name"], "open"}):
            hours = org.attribution.window_for(event)
            mine = rows.filter(pl.col("event_name").is_in(OPENS if event == "open" else [event]))
            head, *lines = explain_number(org, lake, Number(template.id, event, day))
            assert head == f"{event} of {template.id} on {day} (UTC, the day of the event), {figures.org}"
            held, arm, nobody = 0, mine.clear(), {}
            for line in lines:
                kind, said = next(
                    (name, found.groupdict()) for name, one in NUMBER.items() if (found := re.fullmatch(one, line))
                )
                if kind == "arm":
                    assert held == 0, "the tables hold all of the events"
                    arm = mine.filter(template_id=said["template"], campaign_id=said["campaign"])
                    held = int(said["events"])
                    assert held == arm.filter(window_hours=hours)["events"].sum()
                    messages = arm.filter(window_hours=hours)["messages"].sum()
                elif kind == "conversions":
                    counts = {row["window_hours"]: row["attributed_conversions"] for row in arm.to_dicts()}
                    windows = dict(one.split(" within ")[::-1] for one in said["windows"].split(", "))
                    assert windows == {f"{window} h": str(count) for window, count in counts.items()}
                    assert int(said["own"]) == hours
                elif kind == "held":
                    held -= int(said["events"])
                    assert int(said["messages"]) == messages
                    at_objects = int(said["events"])
                elif kind == "object":
                    at_objects -= int(said["events"])
                    assert at_objects >= 0
                elif kind == "nobody":
                    nobody[said["reason"]] = int(said["events"])
            assert held == 0
            if figures.org == JOINED:
                left = figures.table(ATTRIBUTED_EVENTS).filter(event_date=day, event_name=event, is_attributed=False)
                assert nobody == dict(left.group_by("reason").len().iter_rows())


def test_the_days_explained_hold_every_kind_of_figure(figures: Figures) -> None:
    assert figures.events.filter(pl.col("event_date").is_in(DAYS))["event_name"].n_unique() == (
        figures.events.filter(pl.col("event_date").is_in(list(BUILT)))["event_name"].n_unique()
    )
