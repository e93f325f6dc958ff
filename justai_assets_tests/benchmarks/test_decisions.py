"""The tables of decisions.py in short: fewer runs, people and days, and bounds with the error of the simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import decisions
from benchmarks.simulated import RULES, planned_day, run_of, signs
from benchmarks.simulated_counts import caught_within, false_alarms
from benchmarks.simulated_periods import SITUATIONS, ever_broken
from benchmarks.simulated_templates import share_better

RUNS, PEOPLE, DAYS = 200, 600, 40
UNLINKED = "by person, two keys, links unknown"


def four_errors(rate: float, runs: int) -> float:
    """Four standard errors of a share measured in so many runs."""
    return float(4 * np.sqrt(rate * (1 - rate) / runs))


@pytest.mark.parametrize("name", [name for name in decisions.ERRORS if name != UNLINKED])
def test_forty_looks_at_equal_copies_ever_ship_in_as_few_tests_as_promised(name: str) -> None:
    one = replace(decisions.ERRORS[name], days=DAYS, share=0.3)
    shipped = (signs(one, RUNS, PEOPLE, 0.0) > 0).mean()
    assert shipped < RULES.alpha / 2 + four_errors(RULES.alpha / 2, RUNS)


def test_people_whose_links_are_unknown_are_too_few_and_a_split_by_person_then_errs() -> None:
    """Why message_outcomes links the keys of a person: its squares are those of two people otherwise."""
    linked, unlinked = (
        [
            run_of(np.random.default_rng(seed), 300, replace(one, days=DAYS, share=0.3), 0.0).effect[-1]
            for seed in range(8)
        ]
        for one in (decisions.ERRORS["by person, two keys, linked"], decisions.ERRORS[UNLINKED])
    )
    assert np.mean(linked) > 1.5 * np.mean(unlinked)


def test_who_answers_sooner_does_not_win_unless_open_windows_are_judged() -> None:
    hasty, patient = (
        (signs(replace(one, days=DAYS), RUNS, 2_000, 0.0) > 0).mean()
        for one in (decisions.HASTY["open windows judged too, by message"], decisions.DELAYS)
    )
    assert hasty > 0.1
    assert patient < RULES.alpha / 2 + four_errors(RULES.alpha / 2, RUNS)


@pytest.mark.parametrize("name", decisions.SHARED)
def test_templates_that_share_a_control_together_keep_the_promise(name: str) -> None:
    better = share_better(replace(decisions.SHARED[name], days=DAYS), RUNS, PEOPLE)
    assert better < RULES.alpha / 2 + four_errors(RULES.alpha / 2, RUNS)


def test_at_the_planned_sample_a_true_gain_is_shipped_as_often_as_planned_and_clustering_costs_hardly_anything() -> (
    None
):
    runs, people, power = 120, 8_000, {}
    for name in ("by message, no keys: the message-level test", "by message"):
        one = replace(decisions.PLANNED[name], days=30)
        end, rng = planned_day(one, people, 0.1), np.random.default_rng(7)
        looks = [run_of(rng, people, replace(one, days=end), 0.1) for _ in range(runs)]
        power[name] = np.mean([found.first >= 0 and found.score[found.first] > 0 for found in looks])
    assert min(power.values()) > 0.75 - four_errors(0.8, runs) / 2
    assert abs(np.subtract(*power.values())) <= 0.05


@pytest.mark.parametrize("name", decisions.COVERED)
def test_the_shown_intervals_hold_the_truth(name: str) -> None:
    rng, one = np.random.default_rng(11), replace(decisions.COVERED[name], days=DAYS)
    one_look, every_day = np.mean([run_of(rng, PEOPLE, one, 0.2).holds(1.2) for _ in range(RUNS)], axis=0)
    assert one_look > 0.945 - four_errors(0.945, RUNS)
    assert every_day > 0.945


@pytest.mark.parametrize("name", SITUATIONS)
def test_no_beginning_end_or_pause_of_an_honest_split_is_called_broken_however_little_is_sent(name: str) -> None:
    cases = [(share, per_day) for share in (0.1, 0.5) for per_day in (20, 100, 500)]
    assert [ever_broken(name, *case, runs=8) for case in cases] == [0.0] * len(cases)


def test_an_honest_split_is_hardly_ever_called_broken_and_one_two_points_off_is_caught_within_a_week() -> None:
    assert false_alarms(20_000) <= 0.001
    assert caught_within(5_000, 0.12, days=7) > 0.999
