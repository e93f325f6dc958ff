"""Many templates at once: which hold together at a false-discovery rate."""

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from justai_assets.experiments.analysis import analyse
from justai_assets.experiments.decision_rules import Plan, Rules
from justai_assets.experiments.false_discovery import benjamini_hochberg, discoveries
from justai_assets.experiments.intervals import difference_z
from justai_assets.experiments.results_table import FALSE_DISCOVERY_RATE, results_frame
from justai_assets.experiments.sequential import always_valid_p, spread
from justai_assets_tests.experiments.counted import two_weeks

RATE, RULES = 0.1, Rules()


def judged(**rates):
    """Templates of one control rate, 5 %, and the treatment's rate each."""
    frames = [two_weeks(rate, 0.05).with_columns(template=pl.lit(name)) for name, rate in rates.items()]
    return analyse(pl.concat(frames), [Plan(name, "click") for name in rates])


@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=12))
def test_the_discoveries_are_those_of_statsmodels(p_values):
    count = len(p_values)
    # On a threshold itself the two differ by how they round it.
    assume(all(abs(p - RATE * rank / count) > 1e-12 for p in p_values for rank in range(1, count + 1)))
    assert benjamini_hochberg(p_values, RATE) == multipletests(p_values, RATE, method="fdr_bh")[0].tolist()


def test_what_is_better_and_worse_is_listed_and_what_is_decided_alone_is_told_apart():
    results = judged(good=0.065, bad=0.035, thin=0.0563, a=0.05, b=0.05, c=0.05, d=0.05, e=0.05)
    p_values = {one.plan.template: one.key.comparison.always_valid_p for one in results}
    assert RATE * 3 / 8 < p_values["thin"] < RULES.alpha, "it holds alone and is the third of eight"
    found = discoveries(results, RATE, alpha=RULES.alpha)
    assert (found.better, found.worse, found.alone, found.tested) == (("good",), ("bad",), ("thin",), 8)
    assert found.sentence.replace("\u00a0", " ") == (
        "Over 8 templates, with at most 10 % false discoveries on average: the new copy does better in good and the "
        "new copy does worse in bad. Decided alone, and not at this rate: thin."
    )


def test_broken_splits_and_thin_data_are_tested_and_never_found():
    broken = two_weeks(0.065, 0.05, n0=2_000).with_columns(template=pl.lit("broken"))
    thin = two_weeks(0.5, 0.1, n1=9, n0=1).with_columns(template=pl.lit("thin"))
    results = analyse(
        pl.concat([broken, thin]), [Plan("broken", "click"), Plan("thin", "click"), Plan("none", "click")]
    )
    found = discoveries(results, RATE, alpha=RULES.alpha)
    assert (found.tested, found.reading, found.alone) == (3, "0 of 3", ())
    assert "no template differs" in found.sentence


def test_the_table_of_results_holds_the_reading_and_no_template_changes_by_it():
    results = judged(good=0.065, other=0.05)
    found = discoveries(results, RATE, alpha=RULES.alpha)
    rows = results_frame(results, (), found)
    (row,) = rows.filter(pl.col("reason") == FALSE_DISCOVERY_RATE).to_dicts()
    assert (row["template"], row["verdict"], row["decision"]) == (None, "1 of 2", found.sentence)
    assert rows.head(rows.height - 1).equals(results_frame(results))


def test_acting_on_the_first_day_with_a_discovery_errs_in_no_larger_share_than_promised():
    rng, runs, templates, days, true = np.random.default_rng(4), 300, 12, 30, 3
    n1, n0 = 900, 900
    lift = np.where(np.arange(templates) < true, 1.15, 1.0)[:, None]
    sent = np.arange(1, days + 1)
    false_share, alone = [], []
    for _ in range(runs):
        x1 = rng.binomial(n1, 0.2 * lift, (templates, days)).cumsum(axis=1)
        x0 = rng.binomial(n0, 0.2, (templates, days)).cumsum(axis=1)
        counts = (x1, n1 * sent, x0, n0 * sent)
        p = always_valid_p(difference_z(*counts), spread(*counts, target_lift=RULES.target_lift))
        alone.append((p[true:] <= RULES.alpha).any())
        found = (np.array(benjamini_hochberg(p[:, day].tolist(), RATE)) for day in range(days))
        first = next((one for one in found if one.any()), None)
        false_share.append(0.0 if first is None else first[true:].sum() / first.sum())
    assert np.mean(false_share) < RATE + 4 * np.std(false_share) / np.sqrt(runs)
    assert np.mean(alone) > 0.05, "of nine templates without a difference one is decided alone now and then"


@pytest.mark.parametrize("count", [1, 2])
def test_one_template_is_said_in_the_singular(count):
    results = judged(**{f"t{at}": 0.05 for at in range(count)})
    said = discoveries(results, RATE, alpha=RULES.alpha).sentence
    assert said.startswith(f"Over {count} template{'s' if count > 1 else ''}, ")
