"""How often decisions err, and how often a true gain is seen: `python -m benchmarks.decisions [TABLE]`.

Each run is a test of 60 days that is looked at every day. People answer alike (intraclass correlation 0.3), and a look
counts once the minimum sample and seven days are in. The tables are those of docs/experiments.md; seeds are fixed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from benchmarks.simulated import Scenario, planned_day, run_of, signs
from benchmarks.simulated_counts import caught_within, false_alarms, planned_messages, warned
from benchmarks.simulated_periods import SITUATIONS, ever_broken
from benchmarks.simulated_templates import Shared, share_better

DELAYS: Final = Scenario(delays=(12.0, 24.0), share=0.5, rate=0.5)
ERRORS: Final = {
    "by message": Scenario(),
    "by message, share raised from 10 to 50 % on the way": Scenario(raised=True),
    "by message, delays of 12 h and 24 h": DELAYS,
    "by message, two keys, linked": Scenario(two_keys="linked"),
    "by message, two keys, links unknown": Scenario(two_keys="unlinked"),
    "by message, 60 % of the messages have a key": Scenario(keys=0.6),
    "by message, no keys": Scenario(keys=0.0),
    "by person": Scenario("user"),
    "by person, the copy starts 20 days late": Scenario("user", late=20),
    "by person, delays of 12 h and 24 h": replace(DELAYS, split="user"),
    "by person, two keys, linked": Scenario("user", two_keys="linked"),
    "by person, two keys, links unknown": Scenario("user", two_keys="unlinked"),
    "by person, 60 % of the messages have a key": Scenario("user", keys=0.6),
    "by person, no keys: the assumed design effect": Scenario("user", keys=0.0),
}
HASTY: Final = {
    "open windows judged too, by message": replace(DELAYS, hasty=True),
    "open windows judged too, by person": replace(DELAYS, split="user", hasty=True),
}
SHARED: Final = {
    "three templates, one control, by message": Shared(),
    "three templates, one control, by message, no keys": Shared(keys=False),
    "three templates, one control, by person": Shared("user"),
    "three templates, one control, by person, no keys": Shared("user", keys=False),
}
PLAN: Final = Scenario(share=0.5, rate=0.2, begins=1.0, per_day=0.2)
PLANNED: Final = {
    "by message, no keys: the message-level test": replace(PLAN, keys=0.0),
    "by message": PLAN,
    "by message, two keys, links unknown": replace(PLAN, two_keys="unlinked"),
    "by message, 60 % of the messages have a key": replace(PLAN, keys=0.6),
    "by person, a message every other day": replace(PLAN, split="user", per_day=0.5),
}
COVERED: Final = {
    "by message": Scenario(share=0.3),
    "by message, share raised on the way": Scenario(raised=True),
    "by message, no keys": Scenario(share=0.3, keys=0.0),
    "by person": Scenario("user", share=0.3),
    "by person, 60 % of the messages have a key": Scenario("user", share=0.3, keys=0.6),
}


def errors(runs: int, people: int) -> Iterator[str]:
    """Without a difference, and with +50 %."""
    yield f"| {runs:,} runs of {people:,} people | ever shipped, no difference | ever kept | shipped, +50 % |"
    yield "|---|--:|--:|--:|"
    for name, one in {**ERRORS, **HASTY}.items():
        found = signs(one, runs, people, 0.0)
        gained = signs(one, max(50, runs // 10), people, 0.5)
        yield f"| {name} | {(found > 0).mean():.1%} | {(found < 0).mean():.1%} | {(gained > 0).mean():.0%} |"
    for name, shared in SHARED.items():
        better = share_better(shared, runs, people)
        yield f"| {name}: the row of all together is ever “better” | {better:.1%} | | |"


def power(runs: int, people: int) -> Iterator[str]:
    """A true +10 % at the planned sample, of five times the people: 2,000 are too few for it."""
    people *= 5
    yield f"| true +10 %, {runs:,} runs | planned sample | shipped by then | lift on the day it shows, mean |"
    yield "|---|--:|--:|--:|"
    for name, one in PLANNED.items():
        rng, end = np.random.default_rng(7), planned_day(one, people, 0.1)
        looks = [run_of(rng, people, replace(one, days=end), 0.1) for _ in range(runs)]
        shipped = [found for found in looks if found.first >= 0 and found.score[found.first] > 0]
        lifts = [float(found.lift[found.first]) for found in shipped]
        sent = round(end * people * one.per_day)
        yield f"| {name} | {end} days, {sent:,} messages | {len(shipped) / runs:.1%} | {np.mean(lifts):+.1%} |"


def coverage(runs: int, people: int) -> Iterator[str]:
    """Whether the shown intervals hold a true +20 %."""
    yield f"| true +20 %, {runs:,} runs | one look, on day 60 | every day, on all days together |"
    yield "|---|--:|--:|"
    for name, one in COVERED.items():
        rng = np.random.default_rng(11)
        held = np.array([run_of(rng, people, one, 0.2).holds(1.2) for _ in range(runs)])
        yield f"| {name} | {held[:, 0].mean():.1%} | {held[:, 1].mean():.1%} |"


def assumed(runs: int, people: int) -> Iterator[str]:
    """What a split by person costs where nobody is known by a key."""
    runs = max(50, runs // 10)
    given = {
        "keys": Scenario("user"),
        "no keys": Scenario("user", keys=0.0),
    }
    yield f"| by person, +50 % shipped within 60 days, {runs:,} runs | {' | '.join(given)} |"
    yield f"|---|{'--:|' * len(given)}"
    for factor in (1, 2.5, 5, 10):
        number = round(people * factor)
        found = [(signs(one, runs, number, 0.5) > 0).mean() for one in given.values()]
        yield f"| {number:,} people | {' | '.join(f'{share:.0%}' for share in found)} |"


def split(runs: int, _people: int) -> Iterator[str]:
    """False alarms of the split, and how soon a wrong one is found."""
    yield f"| {runs * 10:,} runs | |"
    yield "|---|--:|"
    yield f"| honest split, 60 daily looks: ever called broken | {false_alarms(runs * 10):.2%} |"
    for points in (0.01, 0.02):
        within = caught_within(runs * 10, 0.1 + points, days=7)
        yield f"| {points * 100:.0f} points off, 5,000 messages a day: caught within 7 days | {within:.1%} |"
    for name, said in SITUATIONS.items():
        cases = [(share, per_day) for share in (0.1, 0.5) for per_day in (20, 100, 500, 3_000)]
        alarms = np.mean([ever_broken(name, *case, runs=max(10, runs // 10)) for case in cases])
        yield f"| {said}: ever called broken, 20 to 3,000 messages a day | {alarms:.2%} |"


def guardrail(runs: int, _people: int) -> Iterator[str]:
    """Unsubscribes read every day: warnings of nothing, and how soon a rise is seen."""
    rises = {"twice as many, within 30 days": (2.0, 30), "half as many more, within 60 days": (1.5, 60)}
    yield f"| control 10 %, 5,000 messages a day, {runs:,} runs | no rise, a year | {' | '.join(rises)} |"
    yield f"|---|--:|{'--:|' * len(rises)}"
    for rate in (0.0002, 0.001, 0.005):
        found = [warned(runs, rate, times, days=days) for times, days in ((1.0, 365), *rises.values())]
        yield f"| unsubscribe rate {rate:.2%} | {' | '.join(f'{share:.1%}' for share in found)} |"


def sample(_runs: int, _people: int) -> Iterator[str]:
    """Messages that a lift needs, by the package's own planning: four of five tests show it."""
    lifts = (0.05, 0.1, 0.2)
    yield f"| rate of the control, its share | {' | '.join(f'+{lift:.0%}' for lift in lifts)} |"
    yield f"|---|{'--:|' * len(lifts)}"
    for rate in (0.01, 0.05, 0.2, 0.4):
        for share in (0.1, 0.5):
            needed = [planned_messages(rate, share, lift) for lift in lifts]
            yield f"| {rate:.0%}, {share:.0%} | {' | '.join(f'{count:,}' for count in needed)} |"


TABLES: Final[dict[str, Callable[[int, int], Iterator[str]]]] = {
    "errors": errors,
    "power": power,
    "assumed": assumed,
    "coverage": coverage,
    "split": split,
    "guardrail": guardrail,
    "sample": sample,
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="decisions", description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"of {', '.join(TABLES)}; all when none is given")
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--people", type=int, default=2_000)
    given = parser.parse_args()
    for name in given.tables or TABLES:
        for line in TABLES[name](given.runs, given.people):
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
