"""Every way to attribute says of every named edge what the rule says; Spark's are in `attribution/spark/test_job.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from benchmarks.documented_sql import documented_sql
from justai_assets.attribution import rule as rule_module
from justai_assets.attribution.attributed_day import attribute_day
from justai_assets.attribution.file_attribution import attribute_files
from justai_assets.attribution.rule import OrderKey, Rule
from justai_assets.attribution.sql.dialects import DIALECTS, Dialect
from justai_assets.attribution.sql.rule_query import rule_query
from justai_assets_tests.attribution.oracle import unified_by_sql
from justai_assets_tests.parity.batches import unified_by_engine
from justai_assets_tests.parity.conformance import (
    CASES,
    PLAIN,
    RULE,
    TIE,
    Outcomes,
    days,
    expected,
    files,
    outcomes,
    tables,
)
from justai_assets_tests.parity.rendered import INPUTS, by_sql, connected, rendered

SMALLEST = (OrderKey("message_id", is_descending=True), OrderKey("template_id"), OrderKey("campaign_id"))
TIE_NAME = next(name for name, case in CASES.items() if case is TIE)


def engine(rule: Rule) -> Outcomes:
    engagement, custom = tables()
    chunks = [chunk for day in days() for chunk in attribute_day(engagement.lazy(), custom.lazy(), day, rule)]
    return outcomes(pl.concat(chunks))


def command(rule: Rule) -> Outcomes:
    return outcomes(unified_by_engine(*files(PLAIN), rule))


def documented(rule: Rule) -> Outcomes:
    esp, custom = files(name for name in PLAIN if name not in {*NOT_DOCUMENTED})
    return outcomes(unified_by_sql(esp, custom, rule))


NOT_DOCUMENTED = ("spaces around a user id do not", "blanks and placeholders are nobody")
"""The product documentation's SQL compares ids as they stand."""


def sql(dialect: Dialect, *, is_zoned: bool) -> Callable[[Rule], Outcomes]:
    def run(rule: Rule) -> Outcomes:
        with connected() as found:
            return outcomes(by_sql(found, files(PLAIN), rendered(rule, dialect, is_zoned=is_zoned), is_zoned=is_zoned))

    return run


WAYS: dict[str, Callable[[Rule], Outcomes]] = {
    "engine": engine,
    "justai attribute": command,
    "documented SQL": documented,
    **{f"{one}, zoned {is_zoned}": sql(one, is_zoned=is_zoned) for one in DIALECTS for is_zoned in (False, True)},
}


@cache
def answers(way: str) -> Outcomes:
    return WAYS[way](RULE)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES)
def test_every_way_says_of_a_case_what_the_rule_says(way: str, case: str) -> None:
    if way == "engine":
        assert answers(way)[case] == expected([case])[case]
    elif case in PLAIN and (way != "documented SQL" or case not in NOT_DOCUMENTED):
        assert answers(way).get(case, []) == expected([case], with_reasons=False).get(case, [])


def test_justai_attribute_counts_the_reasons(tmp_path: Path) -> None:
    for name, frame in zip(("esp", "custom"), files(PLAIN), strict=True):
        frame.write_parquet(tmp_path / f"{name}.parquet")
    summary = attribute_files(f"{tmp_path}/esp.parquet", f"{tmp_path}/custom.parquet", tmp_path / "out", RULE)
    wanted = Counter(outcome for case in PLAIN.values() for _, outcome in case.custom if isinstance(outcome, str))
    assert summary.unattributed == wanted


@pytest.mark.parametrize("way", WAYS)
def test_another_tie_break_in_the_rules_file_is_followed_everywhere(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_module, "TIE_BREAK", SMALLEST)
    ((name, moment, _),) = expected([TIE_NAME])[TIE_NAME]
    changed = Rule(RULE.window_hours, RULE.windows, RULE.send_events)
    assert WAYS[way](changed)[TIE_NAME] == [(name, moment, ("a", "t", "c"))]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_another_tie_break_stands_in_the_text_of_every_dialect(
    dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rule_query(Rule(), INPUTS, dialect).sql(dialect=dialect)
    monkeypatch.setattr(rule_module, "TIE_BREAK", SMALLEST)
    after = rule_query(Rule(), INPUTS, dialect).sql(dialect=dialect)
    assert "message_id DESC" in after
    assert "message_id DESC" not in before
    assert "message_id DESC" not in documented_sql(Rule())
