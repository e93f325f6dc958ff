import re
from datetime import timedelta
from html.parser import HTMLParser

import polars as pl
import pytest

from justai_assets.experiments.all_templates import overall
from justai_assets.experiments.analysis import analyse
from justai_assets.experiments.cohort_counts import COUNTS
from justai_assets.experiments.decision_rules import Plan, Rules
from justai_assets.reporting.html_report import render_report
from justai_assets.reporting.report_data import ArmFunnel, FunnelDay
from justai_assets.reporting.report_preview import preview_png
from justai_assets_tests.reporting.samples import AT, FIRST, sample_counts, sample_report

HOSTILE = "<script>alert(1)</script>\"'&"


class Outline(HTMLParser):
    """Tags that opened and closed, and the attributes of each."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})

    def __init__(self, text):
        super().__init__()
        self.opened, self.text, self.stack, self.unclosed = [], [], [], []
        self.feed(text)
        self.unclosed += self.stack

    def handle_starttag(self, tag, attrs):
        self.opened.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.opened.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if self.stack and self.stack[-1] == tag:
            self.stack.pop()
        else:
            self.unclosed.append(tag)

    def handle_data(self, data):
        if not {"style", "svg"} & set(self.stack):
            self.text.append(data)

    @property
    def words(self):
        return re.sub(r"\s+", " ", " ".join(self.text))


@pytest.fixture(scope="module")
def page():
    return render_report(sample_report())


def test_the_same_data_gives_the_same_file(page):
    assert render_report(sample_report()) == page


def test_the_file_is_complete_in_itself(page):
    outline = Outline(page)
    assert outline.unclosed == []
    assert not {"script", "link", "iframe", "img", "object"} & {tag for tag, _ in outline.opened}
    # Namespaces are names, not addresses; nothing else may point outside.
    assert set(re.findall(r"https?://[^\"'\s)<]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "default-src 'none'" in page
    assert all(attrs["href"].startswith("#") for tag, attrs in outline.opened if tag == "a")


def test_every_link_inside_the_page_arrives_and_every_id_is_one_of_a_kind(page):
    outline = Outline(page)
    ids = [attrs["id"] for _, attrs in outline.opened if "id" in attrs]
    assert len(ids) == len(set(ids))
    wanted = {attrs["href"][1:] for tag, attrs in outline.opened if tag == "a"}
    wanted |= {attrs["aria-labelledby"] for _, attrs in outline.opened if "aria-labelledby" in attrs}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", page))
    assert wanted <= set(ids)


def test_every_template_has_its_decision_in_a_sentence(page):
    data, said = sample_report(), Outline(page).words.replace("\u00a0", " ")
    for one in data.templates:
        assert said.count(re.sub(r"\s+", " ", one.decision.sentence.replace("\u00a0", " "))) == 2
    verdicts = {one.plan.template: one.decision.verdict for one in data.templates}
    assert verdicts == {
        "welcome-email": "ship",
        "winback": "keep_control",
        "broken": "broken_split",
        "tiny": "too_few",
        "solo": "no_control",
    }


def test_text_from_outside_is_only_ever_text():
    page = render_report(sample_report(rename=HOSTILE, org=HOSTILE))
    outline = Outline(page)
    assert "script" not in {tag for tag, _ in outline.opened}
    assert HOSTILE in outline.words
    assert outline.unclosed == []


def test_drawings_take_their_colours_from_the_page(page):
    drawn = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.S))
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawn))
    assert {one for one in colours if not one.startswith("var(--chart-")} <= {"none", "transparent"}
    named = set(re.findall(r"var\(--(chart-\w+)\)", drawn))
    for scheme in (
        page[: page.index("@media (prefers-color-scheme")],
        page[page.index("@media (prefers-color-scheme") :],
    ):
        assert all(f"--{name}:" in scheme for name in named)


@pytest.mark.parametrize("days", [3, 4, 20])
def test_an_axis_of_days_names_each_day_once_and_the_last_one_always(days):
    counts = sample_counts().filter(pl.col("cohort_date") < FIRST + timedelta(days))
    results = analyse(counts, [Plan("welcome-email", "click")])
    page = render_report(sample_report(templates=results, overall=overall(results, Rules())))
    axes = [re.findall(r">(\d+ Jan)<", drawn) for drawn in re.findall(r"<svg.*?</svg>", page, flags=re.S)]
    axes = [named for named in axes if named]
    assert all(len(named) == len(set(named)) >= 2 for named in axes)
    # The day-by-day lift ends with the test, the funnels with what the sample counts.
    assert {f"{days} Jan", "20 Jan"} == {max(named, key=lambda day: int(day[:-4])) for named in axes}


def test_every_drawing_has_words_for_those_who_do_not_see_it(page):
    charts = [attrs for _, attrs in Outline(page).opened if attrs.get("class") == "chart"]
    assert len(charts) > 5
    assert all(one["role"] == "img" and len(one["aria-label"]) > 20 for one in charts)


def test_what_scrolls_can_be_reached_with_the_keyboard(page):
    scrolls = [attrs for _, attrs in Outline(page).opened if attrs.get("class") == "scroll"]
    assert scrolls
    assert all(one.get("tabindex") == "0" and one.get("aria-label") for one in scrolls)


def test_no_small_count_is_shown(page):
    said = Outline(page).words
    assert "under 20" in said
    cells = re.findall(r"<td[^>]*>([\d\u202f]+)</td>", page)
    counts = [int(cell.replace("\u202f", "")) for cell in cells]
    # The only small integers in cells are how many templates were pooled.
    pooled = re.search(r"All templates together</h3>.*?</table>", page, flags=re.S).group()
    few = [int(cell) for cell in re.findall(r"<td>(\d+)</td>", pooled)]
    assert sorted(one for one in counts if 0 < one < 20) == sorted(few)
    assert all(one <= 5 for one in few)


def test_a_template_under_the_minimum_shows_no_rate(page):
    section = re.search(r'<section id="template-3".*?</section>', page, flags=re.S).group()
    table = re.search(r"All metrics as a table.*?</table>", section, flags=re.S).group()
    assert "hidden: a small count" in table
    assert not re.findall(r"\d\u00a0%", re.sub(r"<thead.*?</thead>", "", table))


def one_template(treatment, control, *, metric="click", **changes):
    """A report of one template; arms as (messages, successes) on one day, the funnel of both."""
    rows = [
        ("t", arm, metric, 72, True, FIRST, None, *arms)
        for arm, arms in (("treatment", treatment), ("control", control))
    ]
    plan = Plan("t", metric, has_control=control[0] > 0, control_share=None)
    results = analyse(pl.DataFrame(rows, schema=COUNTS, orient="row"), [plan])
    arms = tuple(
        ArmFunnel((("t", role),), (FunnelDay(FIRST, sent, 0, None, clicked, 0, 0),))
        for role, (sent, clicked) in (("treatment", treatment), ("control", control))
    )
    return Outline(
        render_report(
            sample_report(
                templates=results, overall=overall(results, Rules()), arms=arms, restatements=(), fates=(), **changes
            )
        )
    ).words.replace("\u00a0", " ").replace("\u202f", " ")  # fmt: skip


def test_the_messages_of_a_small_arm_cannot_be_computed_from_the_other_arm_and_the_funnel():
    said = one_template((500, 60), (12, 0))
    assert "512" in said
    assert "500" not in said
    assert said.count("under 20 in an arm") == 2


def test_an_interval_without_ends_is_not_yet_known():
    said = one_template((1_000, 60), (110, 30))
    assert "not yet known" in said
    assert not re.search(r"\d{9}", said)


def test_without_a_control_the_rates_are_told_all_the_same():
    said = one_template((1_000, 60), (0, 0))
    assert "What the copy does" in said
    assert "6.00 %" in said


def test_days_chosen_by_hand_are_said_to_be(page):
    chosen = one_template((1_000, 60), (110, 30), is_chosen=True)
    assert "chosen by hand" in chosen
    assert "chosen by hand" not in Outline(page).words


def test_a_number_that_moved_by_few_does_not_tell_by_how_many():
    moved = sample_report().restatements[0]
    page = render_report(
        sample_report(restatements=(type(moved)(AT, FIRST + timedelta(1), "t", "clicks", 1_204, 1_205, ()),))
    )
    row = re.search(r"moved-title.*?</section>", page, flags=re.S).group()
    assert "moved by under 20" in row
    assert "1\u202f204" not in row


def test_a_broken_split_shows_no_lift(page):
    section = re.search(r'<section id="template-2".*?</section>', page, flags=re.S).group()
    assert "Lift over the control" not in section
    assert "All metrics as a table" not in section


def test_a_larger_minimum_hides_more():
    strict = render_report(sample_report(minimum_cell=5_000))
    assert "under 5000" in strict
    assert not re.search(r"<dl class=\"figures\">", strict)


def test_what_moved_is_listed_with_its_reason(page):
    moved = re.search(r"moved-title.*?</section>", page, flags=re.S).group()
    assert "1\u202f204" in moved
    assert "1\u202f260" in moved
    assert "webhooks/iterable/acme/a.jsonl.zst" in moved
    assert moved.count("under 20") == 2


def test_an_empty_org_still_has_a_report():
    empty = sample_report(
        templates=(), overall=(), arms=(), completeness=(), fates=(), restatements=(), previous_at=None
    )
    outline = Outline(render_report(empty))
    assert outline.unclosed == []
    assert "No template is configured" in outline.words
    assert "This is the first report." in outline.words


def test_the_preview_is_a_picture_even_of_nothing():
    for data in (sample_report(), sample_report(templates=())):
        picture = preview_png(data)
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 2_000
