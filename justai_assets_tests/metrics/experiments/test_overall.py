from datetime import date

import polars as pl
import pytest

from justai_assets.metrics.experiments.analyse import analyse
from justai_assets.metrics.experiments.cluster import PEOPLE, moments, person_sums
from justai_assets.metrics.experiments.counts import COUNTS
from justai_assets.metrics.experiments.overall import overall, person_squares, weights
from justai_assets.metrics.experiments.rules import Plan, Rules

DAY, RULES = date(2026, 1, 1), Rules()
PLANS = [Plan(name, "click", control_share=None) for name in ("a", "b")]


def world(keyed=True):
    """Two templates sent to the same people, a tenth of whom is held out of both; every third answers everything."""
    sent, clicked, counts = [], [], []
    for template, each in (("a", 2), ("b", 3)):
        for arm, people in (("treatment", range(900)), ("control", range(900, 1_200))):
            answer = [user for user in people if user % 3 == 0]
            for user in people if keyed else ():
                sent.append((template, arm, None, DAY, f"u{user}", None, None, each, 0))
            for user in answer if keyed else ():
                clicked.append((template, arm, None, DAY, f"u{user}", "click", 72, 0, each))
            counts.append((template, arm, "click", 72, True, DAY, None, each * len(people), each * len(answer)))
    return (
        pl.LazyFrame(sent + clicked, schema=PEOPLE, orient="row"),
        pl.DataFrame(counts, schema=COUNTS, orient="row"),
    )


def judged(keyed=True):
    people, counts = world(keyed)
    results = analyse(counts, PLANS, moments=moments(person_sums(people), counts), rules=RULES)
    return people, results, weights(results, RULES)


def test_the_squares_are_those_of_a_plain_loop():
    people, _, moves = judged()
    per = {(row["template"], row["arm"]): row for row in moves.iter_rows(named=True)}
    psi = {}
    for row in people.collect().iter_rows(named=True):
        move = per[row["template"], row["arm"]]
        moved = row["messages"] * move["per_message"] + row["successes"] * move["per_success"]
        psi[row["user"]] = psi.get(row["user"], 0.0) + moved
    assert person_squares(people, moves) == {"click": pytest.approx(sum(one**2 for one in psi.values()))}


def test_the_squares_of_some_people_and_of_the_others_add_up():
    people, _, moves = judged()
    some, others = (people.filter((pl.col("user") < "u5") == side) for side in (True, False))
    parts = person_squares(some, moves)["click"] + person_squares(others, moves)["click"]
    assert parts == pytest.approx(person_squares(people, moves)["click"])


def test_people_who_receive_several_templates_make_the_interval_wider_and_it_says_so():
    people, results, moves = judged()
    (alone,), (together,) = overall(results, RULES), overall(results, RULES, squares=person_squares(people, moves))
    assert (alone.variance, together.variance) == ("message", "user")
    assert together.lift.value == alone.lift.value == pytest.approx(0, abs=1e-9)
    assert together.lift.high - together.lift.low > 1.3 * (alone.lift.high - alone.lift.low)
    assert "several templates counts as several people" in alone.note
    assert together.note == ""


def test_without_keys_the_row_states_its_limit():
    people, results, moves = judged(keyed=False)
    (found,) = overall(results, RULES, squares=person_squares(people, moves))
    assert found.variance == "message"
    assert found.note


def test_one_template_alone_is_no_several():
    _, results, _ = judged(keyed=False)
    assert overall(results[:1], RULES)[0].note == ""


def test_a_reading_waits_for_the_corrected_p_value():
    _, results, _ = judged()
    (found,) = overall(results, RULES)
    assert (found.reading, found.sentence) == (
        "undecided",
        "Clicked: no difference is sure yet, over 2 templates together.",
    )
    (few,) = overall(results, Rules(minimum_messages=10_000))
    assert few.reading == "too few"
    assert few.sentence == "Clicked: no template has enough messages with both copies yet."
