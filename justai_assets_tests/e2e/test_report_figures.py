"""The report says what the tables say, cell by cell, and hides a small count wherever it stands.

Every table, column and large figure of the page is looked at: one that the test does not know fails it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime

import polars as pl
import pytest

from justai_assets.contract.tables import COHORT_RESTATEMENTS
from justai_assets_tests.e2e.figures import SMALL, Cohort, Figures, is_hidden, says, says_range
from justai_assets_tests.e2e.mixed_week import JOINED, SENDS, UNIFIED
from justai_assets_tests.e2e.page import Page
from justai_assets_tests.e2e.report import ARM, FUNNEL, HEADERS, RANGES, Report
from justai_assets_tests.world import World

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=[JOINED, UNIFIED])
def report(request: pytest.FixtureRequest, mixed: World) -> Report:
    html = mixed.lake.root.read(f"{request.param}/report/latest.html").decode()
    return Report(Figures(mixed, request.param), Page(html))


def test_every_table_of_the_report_is_known_here(report: Report) -> None:
    seen = {table.name.split()[0] for table in report.page.tables}
    assert (
        {*HEADERS, "Funnel"} >= seen >= {*HEADERS, "Funnel"} - ({"Rates"} if report.figures.org == UNIFIED else set())
    )


def check_row(report: Report, template: str, cells: Mapping[str, str], cohort: Cohort) -> None:
    """The cells of a comparison, but for the counts of messages."""
    result = report.figures.results[template, cohort.metric, cohort.window, cohort.copy]
    key = (template, cohort.metric, cohort.window, cohort.copy)
    for name, arm in ARM.items():
        if name in cells:
            one = Cohort(template, cohort.metric, cohort.window, arm, cohort.copy if arm == "treatment" else None)
            report.check((*key, "rate", arm), cells[name], report.figures.rate(one))
    report.check((*key, "lift"), cells["Lift"], result["lift"])
    for name, (low, high) in RANGES.items():
        if name in cells:
            report.check_range((*key, name), cells[name], result[low], result[high])
    if "p, corrected" in cells:
        anytime = result["always_valid_p_adjusted"]
        report.check((*key, "p"), cells["p, corrected"], result["always_valid_p"] if anytime is None else anytime)
    if "Variance" in cells:
        words = {"user": "by person", "message": "by message", "partly": "by person for"}
        assert cells["Variance"].startswith(words[result["variance"]])


@pytest.mark.parametrize("kind", ["Metrics", "Revenue"])
def test_the_tables_of_metrics_and_of_what_a_message_brings(report: Report, kind: str) -> None:
    for template, table in report.tables(kind):
        for label, cells in table.records():
            metric, window = report.metric(template, label)
            assert cells["Counts within"] == f"{window} h"
            check_row(report, template, cells, Cohort(template, metric, window))
            result = report.figures.results[template, metric, window, None]
            assert label.endswith(" (decides)") == result["is_key"]
            if kind == "Metrics":
                key = (template, metric, window, None)
                for name, arm in (("new copy", "treatment"), ("control", "control")):
                    cohort = Cohort(template, metric, window, arm)
                    report.check(
                        (template, "messages", arm),
                        cells[f"Messages, {name}"],
                        report.figures.cohort(cohort)["messages"],
                    )
                report.check((*key, "detectable"), cells["Smallest lift it would show"], result["detectable_lift"])
                days = cells["More days for +10.0 %"].removesuffix(" (4 of 5 tests)")
                assert days in ("–", "none", "cannot be said") or says(days, result["days_left"])


def test_the_rates_of_a_template_without_a_control(report: Report) -> None:
    for template, table in report.tables("Rates"):
        for label, cells in table.records():
            metric, window = report.metric(template, label)
            cohort = Cohort(template, metric, window, "treatment")
            report.check(
                (template, metric, window, None, "rate", "treatment"), cells["Rate"], report.figures.rate(cohort)
            )
            report.check(
                (template, "messages", "treatment"), cells["Messages"], report.figures.cohort(cohort)["messages"]
            )
            assert cells["Counts within"] == f"{window} h"


def test_the_tables_of_copies_and_of_other_windows(report: Report) -> None:
    for template, table in report.tables("Copies"):
        metric, window = report.metric(template, table.header[2])
        for copy, cells in table.records():
            cohort = Cohort(template, metric, window, "treatment", copy)
            check_row(report, template, {**cells, "New copy": cells[table.header[2]]}, cohort)
            key = (template, "messages", "treatment", copy)
            report.check(key, cells["Messages"], report.figures.cohort(cohort)["messages"])
    for template, table in report.tables("Windows"):
        for label, cells in table.records():
            metric, own = report.metric(template, label)
            window = int(cells["Within"].split()[0])
            assert cells["Within"].endswith("(decides)") == (window == own)
            check_row(report, template, cells, Cohort(template, metric, window))


def test_the_large_figures_the_lifts_by_day_and_the_templates_together(report: Report) -> None:
    results = report.figures.results
    names = [one.id for one in report.figures.world.orgs[report.figures.org].templates]
    for section, name, text in report.page.figures:
        template = names[int(section.removeprefix("template-"))]
        (row,) = (row for key, row in results.items() if key[0] == template and row["is_key"] and key[3] is None)
        key = (template, row["metric"], row["window_hours"], None)
        if name == "Holds however often you look":
            report.check_range((*key, "Holds every day"), text, row["lift_always_low"], row["lift_always_high"])
        elif name == "Lift":
            report.check((*key, "lift"), text, row["lift"])
        else:
            arm = {"new copy": "treatment", "control": "control"}[name.partition(", ")[2]]
            report.check((*key, "rate", arm), text, row[f"{arm}_rate"])
    for template, table in report.tables("Lift"):
        (row,) = (row for key, row in results.items() if key[0] == template and row["is_key"] and key[3] is None)
        for day, cells in table.records():
            report.check((template, "lift to", day), cells["Lift"], stratified_lift(report.figures, row, day_of(day)))
        assert day_of(day) == SENDS.last
        assert says_range(cells["Holds every day"], row["lift_always_low"], row["lift_always_high"])
    for _, table in report.tables("All"):
        for label, cells in table.records():
            metric, window = report.metric(names[0], label)
            row = results[None, metric, window, None]
            assert says(cells["Lift"], row["lift"])
            assert says_range(cells["Holds every day"], row["lift_always_low"], row["lift_always_high"])
            assert says(cells["p, corrected"], row["always_valid_p_adjusted"])
            assert cells["Variance"] == {"user": "by person", "message": "by message"}[row["variance"]]
            assert row["decision"].endswith(
                f"over {cells['Templates']} {'templates' if cells['Templates'] != '1' else 'template'} together."
            )
            compared = [
                key
                for key in results
                if key[0] and key[1:] == (metric, window, None) and results[key]["control_messages"]
            ]
            assert says(cells["Templates"], len(compared))
            sent = sum(results[key][f"{arm}_messages"] for key in compared for arm in ARM.values())
            assert says(cells["Messages"], sent)


def stratified_lift(figures: Figures, row: dict, last: date) -> float:
    """Mantel and Haenszel's ratio over the send days up to one, with the messages that tell as much as those sent."""
    up = down = 0.0
    of_arms = [Cohort(row["template"], row["metric"], row["window_hours"], arm) for arm in ARM.values()]
    days = [dict(figures.daily(one)) for one in of_arms]
    effects = [row[f"{arm}_design_effect"] for arm in ARM.values()]
    for day in SENDS:
        if day <= last:
            counts = [(one[day]["messages"], one[day]["successes"]) for one in days]
            (n1, x1), (n0, x0) = ((n / by, x / by) for (n, x), by in zip(counts, effects, strict=True))
            up, down = up + x1 * n0 / (n1 + n0), down + x0 * n1 / (n1 + n0)
    return up / down - 1


def day_of(text: str) -> date:
    return datetime.strptime(text, "%d %b %Y").date()  # noqa: DTZ007 - a day has no zone


def test_the_daily_funnels(report: Report) -> None:
    for name, table in report.tables("Funnel"):
        template = None if name == "all templates" else name
        unknown = {"Machine opens"} if report.figures.org == UNIFIED else set()
        assert table.header == ["Sent on", *(one for one in FUNNEL if one not in unknown)]
        days = [day_of(row[0].text) for row in table.rows]
        assert days == list(SENDS)
        left = [0] * len(table.header)
        for at, row in enumerate(table.rows):
            cells = iter(row[1:])
            for place in range(1, len(table.header)):
                if left[place]:
                    left[place] -= 1
                    continue
                cell = next(cells)
                left[place] = cell.rows - 1
                metric = FUNNEL[table.header[place]]
                cohort = Cohort(
                    template, "open" if metric == "messages" else metric, first=days[at], last=days[at + cell.rows - 1]
                )
                found = report.figures.cohort(cohort)["messages" if metric == "messages" else "successes"]
                report.check((cohort, table.header[place]), cell.text, found)
                assert cell.text == "not shown" or found not in SMALL, (cohort, "a small count is shown")
            assert next(cells, None) is None
        assert not any(left)


def test_the_ledger_and_the_completeness(report: Report) -> None:
    week = report.figures.fates.filter(pl.col("event_date").is_between(SENDS.first, SENDS.last), pl.col("records") > 0)
    words = {"Attributed to a message": "attributed", "Without a message": "unattributed"}
    total = 0
    for _, table in report.tables("Fates"):
        for asset, cells in table.records():
            count = 0
            for label in cells["Fate"].split("; "):
                name, _, reason = label.partition(": ")
                mine = week.filter(asset=asset, door=cells["Door"], fate=words.get(name, name.lower()))
                count += mine.filter(reason=reason)["records"].sum() if reason else mine["records"].sum()
            assert says(cells["Records"], count) or (is_hidden(cells["Records"]) and count in SMALL)
            total += count
    assert total == week["records"].sum()
    for _, table in report.tables("Completeness"):
        for door, cells in table.records():
            days = week.filter(door=door, fate="received")["event_date"].unique()
            assert cells["Days with data"] == f"{days.len()} of {len(SENDS)}"
            assert day_of(cells["Latest day"]) == days.max()
            assert cells["Late records"] in ("0", "not known")


def test_what_moved(report: Report) -> None:
    rows = report.figures.table(COHORT_RESTATEMENTS).filter(
        ~pl.col("metric").is_in(["machine_open", "any_conversion"]) | pl.col("metric").is_null()
    )
    moved = set()
    for _, table in report.tables("Restated"):
        for day, cells in table.records():
            label, *where = cells["Number"].split(", ")
            name = re.sub(r" within \d+ h$", "", label)
            template, arm = where[0], "control" if "control" in where else "treatment"
            copy = next((one.removeprefix("copy ") for one in where if one.startswith("copy ")), None)
            mine = rows.filter(pl.col("send_date") == day_of(day), template=template, arm=arm).filter(
                pl.col("copy_id").eq_missing(copy)
            )
            if name == "Messages sent":
                mine = mine.filter(number="messages")
            else:
                metric, window = report.metric(template, name)
                number = "value" if metric.startswith("revenue:") else "successes"
                mine = mine.filter(metric=metric, window_hours=window, number=number)
            (row,) = mine.to_dicts()
            moved.add((row["send_date"], template, arm, copy, row["metric"], row["window_hours"], row["number"]))
            for text, number in ((cells["Before"], row["before"]), (cells["Now"], row["after"])):
                assert is_hidden(text) or says(text, number)
            assert cells["Because of"].split(", ")[0] in row["files"]
    own = {
        tuple(row) for row in rows.select("send_date", "template", "arm", "copy_id", "metric", "window_hours", "number").iter_rows()
        if row[4] is None or (row[5] == report.figures.own_window(row[1], row[4]) and (row[6] == "value") == row[4].startswith("revenue:"))
    }  # fmt: skip
    assert moved == own
    if report.figures.org == JOINED:
        (copy,) = rows.filter(send_date=SENDS.first, copy_id="copy-b", number="messages").to_dicts()
        assert f"generate/{JOINED}/event_date={SENDS.first}/late.jsonl.zst" in copy["files"]


def test_what_the_sentences_say(report: Report) -> None:
    results, names = report.figures.results, [one.id for one in report.figures.world.orgs[report.figures.org].templates]
    keys = {key[0]: row for key, row in results.items() if row["is_key"] and key[3] is None}
    seen = set()
    for section, text in report.page.sentences:
        if section == "meanings-title" or not re.search(r"\d", text):
            continue
        row = keys[names[int(section[9:])]] if section.startswith("template-") else None
        if text in {" ".join(one["decision"].split()) for one in keys.values()}:
            seen.add("decision")
        elif found := re.fullmatch(r"Judged on sends from (.+) to (.+)\.", text):
            assert (day_of(found[1]), day_of(found[2])) == (row["first_day"], row["last_day"])
            seen.add("days")
        elif found := re.fullmatch(
            r"Split: the control got (.+) of the messages; (.+) was configured; nothing speaks against it \(p (.+)\)\.",
            text,
        ):
            assert says(found[1], row["control_share"])
            assert says(found[2], row["expected_control_share"])
            assert says(found[3], row["sample_ratio_always_valid_p"])
            seen.add("split")
        elif text.startswith("Lift of the key metric by template. "):
            said = dict(re.findall(r"(\w+): (\S+\s%), \w+\.", text))
            assert said == {name: text for name, text in said.items() if says(text, keys[name]["lift"])}
            assert set(said) == {name for name in names if keys[name]["lift"] is not None}
            seen.add("lifts")
        else:
            assert re.fullmatch(r"Sends up to .+ Computed .+ UTC\.|The last report was made .+ UTC\.", text), text
    assert seen == {"decision", "days", "split", *(["lifts"] if report.figures.org == JOINED else [])}


def test_what_is_hidden_in_one_place_is_hidden_in_every_place(report: Report) -> None:
    report.shown.clear()
    for kind in ("Metrics", "Revenue"):
        test_the_tables_of_metrics_and_of_what_a_message_brings(report, kind)
    test_the_rates_of_a_template_without_a_control(report)
    test_the_tables_of_copies_and_of_other_windows(report)
    test_the_large_figures_the_lifts_by_day_and_the_templates_together(report)
    test_the_daily_funnels(report)
    assert len(report.shown) > 50
    assert {key for key, states in report.shown.items() if len(states) > 1} == set()
    for (template, metric, window, copy), row in report.figures.results.items():
        for arm in ARM.values() if template else ():
            sent, won = row[f"{arm}_messages"], row[f"{arm}_successes"]
            if won in SMALL or sent - won in SMALL:
                assert True not in report.shown.get((template, metric, window, copy, "rate", arm), set())
