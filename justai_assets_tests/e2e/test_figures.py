"""One figure on every screen: what the terminal and the results show is what the tables say.

Every cell of a screen is looked at: a column, a row or a line that the test does not know fails it. The report, explain
and the marts are held against the same tables in the modules beside this one.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from rich.console import Console
from rich.table import Table as RichTable

from justai_assets.cli import run
from justai_assets.contract.tables import EXPERIMENT_RESULTS
from justai_assets.experiments.false_discovery import DECIDED_ALONE
from justai_assets.experiments.org_results import judge
from justai_assets.experiments.results_table import results_frame
from justai_assets.reporting import terminal_tables as show
from justai_assets.settings import Settings
from justai_assets_tests.e2e.figures import Cohort, Figures, says
from justai_assets_tests.e2e.mixed_week import JOINED, SENDS, UNIFIED
from justai_assets_tests.world import World

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=[JOINED, UNIFIED])
def figures(request: pytest.FixtureRequest, mixed: World) -> Figures:
    return Figures(mixed, request.param)


class Screen(Console):
    """Keeps what is printed."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[RichTable] = []
        self.lines: list[str] = []

    def print(self, *objects: object, **_: object) -> None:
        for one in objects:
            if isinstance(one, RichTable):
                self.tables.append(one)
            else:
                self.lines += str(one).splitlines()

    def rows(self) -> Iterable[tuple[str, ...]]:
        """The cells of the only table, row by row, below its columns' names."""
        (table,) = self.tables
        yield tuple(str(column.header) for column in table.columns)
        yield from zip(*(map(str, column.cells) for column in table.columns), strict=True)


def shown(figures: Figures, function: str) -> Screen:
    screen = Screen()
    getattr(show, function)(Settings.from_environment(), [figures.world.orgs[figures.org]], SENDS, screen)
    return screen


def counted(text: str) -> tuple[str, str]:
    """`30 12.50%` as its two numbers."""
    count, _, share = text.partition(" ")
    return count, share.strip()


def test_every_table_of_the_terminal_is_known_here() -> None:
    shows = {name for name, _ in inspect.getmembers(show, inspect.isfunction) if name.startswith("show_")}
    # show_caused lists events of the stream, and no figure.
    assert shows == {"show_templates", "show_revenue", "show_decisions", "show_fates", "show_caused"}


def test_the_terminals_table_of_templates(figures: Figures) -> None:
    header, *rows = shown(figures, "show_templates").rows()
    assert header == ("template", "key metric", "arm", "sends", "opens", "clicks", "conversions", "lift")
    seen = []
    for name, key, arm, sends, opens, clicks, conversions, lift in rows:
        if name:
            template, said = name.partition("/")[2], key
        metric = figures.world.orgs[figures.org].templates[[*templates(figures)].index(template)].key_metric
        of = f"conversion:{metric}" if metric != "open" else "any_conversion"
        window = figures.own_window(template, of if metric != "open" else "open")
        assert said == f"{metric if metric != 'open' else 'Opened'} in {window} h"
        seen.append((template, arm))
        for text, name_, hours in ((opens, "open", 72), (clicks, "click", 72), (conversions, of, window)):
            cohort = Cohort(template, name_, hours, arm)
            found = figures.cohort(cohort)
            assert says(sends, found["messages"])
            count, share = counted(text)
            assert says(count, found["successes"]), (cohort, text)
            assert says(share, figures.rate(cohort)), (cohort, text)
        result = figures.results[template, of if metric != "open" else "open", window, None]
        assert says(lift, result["lift"] if arm == "treatment" else None)
    assert seen == [
        (one.id, arm)
        for one in figures.world.orgs[figures.org].templates
        for arm in ("treatment", *(["control"] if one.control else []))
    ]


def templates(figures: Figures) -> list[str]:
    return [one.id for one in figures.world.orgs[figures.org].templates]


def test_the_terminals_table_of_revenue(figures: Figures) -> None:
    header, *rows = shown(figures, "show_revenue").rows()
    assert header == ("template", "event", "arm", "sends", "that brought any", "together", "a message", "lift")
    seen = set()
    for name, event, arm, sends, brought, together, each, lift in rows:
        template, metric = name.partition("/")[2], f"revenue:{event}"
        cohort = Cohort(template, metric, figures.own_window(template, metric), arm)
        found = figures.cohort(cohort)
        texts, numbers = (sends, brought, together), (found["messages"], found["successes"], found["value"])
        assert all(map(says, texts, numbers)), (cohort, texts, numbers)
        assert says(each, figures.rate(cohort))
        result = figures.results[template, metric, cohort.window, None]
        assert says(lift, result["lift"] if arm == "treatment" else None)
        seen.add((template, metric, arm))
    paid = {(one.template, one.metric, one.arm) for one in figures.metrics() if figures.cohort(one)["value"]}
    assert seen == paid


def test_the_terminals_decisions_are_those_of_the_results_and_of_the_report(
    figures: Figures, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {key[0]: row["decision"] for key, row in figures.results.items() if key[0]}
    lines = [line.strip() for line in shown(figures, "show_decisions").lines if line.startswith("  ")]
    alone = [DECIDED_ALONE] if len(templates(figures)) > 1 else []
    decisions = [f"{figures.org}/{template}: {said[template]}" for template in templates(figures)]
    assert lines == [*decisions, *(f"{figures.org}: {one}" for one in alone)]
    capsys.readouterr()
    out = figures.world.folder / "report.html"
    assert run(["report", "--org", figures.org, "--out", str(out)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[:-1] == [*(f"{template}: {said[template]}" for template in templates(figures)), *alone]


def test_the_terminals_table_of_records_is_the_ledger(figures: Figures) -> None:
    screen = shown(figures, "show_fates")
    header, *rows = screen.rows()
    fates = ("received", "accepted", "duplicate", "quarantined", "attributed", "unattributed")
    assert header == ("table", "from", *fates)
    week = figures.fates.filter(pl.col("event_date").is_between(SENDS.first, SENDS.last))
    found = {key: part for key, part in week.partition_by("asset", "door", as_dict=True).items()}
    assert {(name.partition("/")[2], door) for name, door, *_ in rows} == set(found)
    for name, door, *cells in rows:
        part = found[name.partition("/")[2], door]
        for fate, text in zip(fates, cells, strict=True):
            mine = part.filter(fate=fate)
            assert says(text, mine["records"].sum() if mine.height else None), (name, door, fate)
    reasons = defaultdict(int)
    for line in screen.lines:
        where, _, rest = line.strip().partition(": ")
        asset, _, door = where.partition("/")[2].partition(" from ")
        fate, _, parts = rest.partition(" ")
        for part in parts.split(", "):
            reason, _, count = part.rpartition(" ")
            reasons[asset, door, fate, reason] += int(count.replace(",", ""))
    named = week.filter(pl.col("reason").is_not_null(), pl.col("records") > 0)
    counts = named.group_by("asset", "door", "fate", "reason").agg(pl.col("records").sum())
    assert reasons == {tuple(row[:4]): row[4] for row in counts.iter_rows()}


def test_the_results_are_the_sums_of_copy_daily(figures: Figures) -> None:
    counts = {
        f"{arm}_{name}" for arm in ("treatment", "control") for name in ("messages", "successes", "rate")
    }  # fmt: skip
    judged = {name for name in EXPERIMENT_RESULTS.schema if name.startswith(("difference", "lift", "sample_", "p_"))}
    judged |= {f"{arm}_design_effect" for arm in ("treatment", "control")}
    judged |= {"always_valid_p", "always_valid_p_adjusted", "power", "detectable_lift", "days_left", "is_enough"}
    named = {"event_date", "template", "metric", "window_hours", "copy_id", "first_day", "last_day"}
    said = {"is_own_window", "is_key", "variance", "note", "verdict", "reason", "decision"}
    shares = {"control_share", "expected_control_share"}
    assert set(EXPERIMENT_RESULTS.schema) == counts | judged | named | said | shares
    for (template, metric, window, copy), row in figures.results.items():
        if template is None:
            assert not [name for name in counts if row[name] is not None]
            continue
        assert (row["event_date"], row["first_day"], row["last_day"]) == (SENDS.last, SENDS.first, SENDS.last)
        arms = {}
        for arm in ("treatment", "control"):
            # A copy is compared with the whole control.
            cohort = Cohort(template, metric, window, arm, copy if arm == "treatment" else None)
            found = arms[arm] = figures.cohort(cohort)
            assert row[f"{arm}_messages"] == found["messages"], cohort
            assert row[f"{arm}_successes"] == found["successes"], cohort
            assert row[f"{arm}_rate"] == pytest.approx(figures.rate(cohort), abs=1e-12), cohort
        if copy is None and row["control_share"] is not None:
            # A period's split is counted from its second day on (ADR 0014).
            later = [replace(Cohort(template, metric, window, arm), first=SENDS.first + timedelta(1)) for arm in arms]
            sent = [figures.cohort(one)["messages"] for one in later]
            assert row["control_share"] == pytest.approx(sent[1] / sum(sent))
    told = {key for key in figures.results if key[0] is not None}
    counted_ = {(one.template, one.metric, one.window, one.copy) for one in figures.metrics()}
    shown_only = {"machine_open", "any_conversion"}
    copies = {key for key in counted_ if key[3] is not None and _is_treated(figures, key)}
    whole = {(*key[:3], None) for key in counted_}
    unpaid = {
        key for key in whole | copies if key[1].startswith("revenue:") and not figures.cohort(Cohort(*key[:3]))["value"]
    }
    assert told == {key for key in whole | copies if key[1] not in shown_only} - unpaid


def _is_treated(figures: Figures, key: tuple) -> bool:
    one = Cohort(*key[:3], "treatment", key[3])
    return figures.cohort(one)["messages"] > 0


def test_a_result_is_over_the_days_that_it_says_also_while_windows_are_open(figures: Figures) -> None:
    org, now = figures.world.orgs[figures.org], datetime(2026, 1, 10, 12, tzinfo=UTC)
    judged = judge(org, figures.world.lake, SENDS, now=now)
    rows = results_frame(judged.results).to_dicts()
    assert {(row["window_hours"], str(row["last_day"])[-2:]) for row in rows} == {(24, "08"), (48, "07"), (72, "06")}
    for row in rows:
        for arm in ("treatment", "control"):
            copy = row["copy_id"] if arm == "treatment" else None
            days = {"first": row["first_day"], "last": row["last_day"]}
            found = figures.cohort(Cohort(row["template"], row["metric"], row["window_hours"], arm, copy, **days))
            counts = {name: row[f"{arm}_{name}"] for name in ("messages", "successes")}
            assert counts == {name: found[name] for name in counts}, row
