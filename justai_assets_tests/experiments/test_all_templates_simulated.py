"""All templates together, tried on data whose truth is known: one person receives several templates."""

import numpy as np
import polars as pl
import pytest

from benchmarks.simulated import FIRST
from benchmarks.simulated_templates import few_people
from justai_assets.experiments.all_templates import overall
from justai_assets.experiments.analysis import analyse
from justai_assets.experiments.arms import ARMS
from justai_assets.experiments.clustered_variance import PEOPLE
from justai_assets.experiments.cohort_counts import COUNTS
from justai_assets.experiments.decision_rules import Plan, Rules
from justai_assets.experiments.intervals import two_sided_p

ALPHA, RULES, TEMPLATES = 0.05, Rules(), 5
SPLITS = ("held out of all templates", "drawn per message")


def drawn(rng, split, users=2_000):
    """Messages and successes, templates × arms × people, of one day on which the arms do not differ."""
    own, held = rng.beta(0.5, 2.0, users), rng.random(users) < 0.1
    sent = 1 + rng.poisson(1.0, (TEMPLATES, users))
    control = rng.binomial(sent, 0.1) if split == "drawn per message" else np.where(held, sent, 0)
    messages = np.stack([sent - control, control], axis=1)
    return messages, rng.binomial(messages, own)


def p_values(messages, successes):
    """Of all templates together: by message, and clustered by person, as overall.py has them."""
    n, x = messages.sum(axis=2), successes.sum(axis=2)
    rate, total, h = x / n, n.sum(axis=1), n[:, 0] * n[:, 1] / n.sum(axis=1)
    parts = (h[:, None] / n)[..., None] * (successes - rate[..., None] * messages)
    people = np.count_nonzero(messages, axis=2)
    of_one = ((parts[:, 0] - parts[:, 1]) ** 2).sum(axis=1) * people.sum(axis=1) / (people.sum(axis=1) - 1)
    binomial = h**2 * (rate * (1 - rate) / n).sum(axis=1)
    effect = np.maximum(1, of_one / binomial) * few_people(people.min(axis=1))
    r, s = (x * n[:, ::-1] / (total * effect)[:, None]).sum(axis=0)
    plain = ((n.prod(axis=1) * x.sum(axis=1) - x.prod(axis=1) * total) / total**2 / effect).sum() / (r * s)
    together = (parts / effect[:, None, None]).sum(axis=0)
    clustered = ((together[0] / r - together[1] / s) ** 2).sum()
    z = np.log(r / s) / np.sqrt([plain, max(plain, clustered)])
    return two_sided_p(z)


@pytest.mark.parametrize("split", SPLITS)
def test_the_p_values_of_the_simulation_are_those_of_the_package(split):
    messages, successes = drawn(np.random.default_rng(3), split)
    counts, people = [], []
    for at in range(TEMPLATES):
        for arm, m, x in zip(ARMS, messages[at], successes[at], strict=True):
            counts.append((f"t{at}", arm, "click", 72, True, FIRST, None, int(m.sum()), int(x.sum())))
            users = [(user, int(sent), int(hits)) for user, (sent, hits) in enumerate(zip(m, x, strict=True))]
            cell = (f"t{at}", arm, None, FIRST)
            people += [(*cell, str(user), None, None, sent, 0) for user, sent, _ in users if sent]
            people += [(*cell, str(user), "click", 72, 0, hits) for user, _, hits in users if hits]
    frame = pl.DataFrame(counts, schema=COUNTS, orient="row")
    known = pl.LazyFrame(people, schema=PEOPLE, orient="row")
    plans = [Plan(f"t{at}", "click", control_share=None) for at in range(TEMPLATES)]
    results = analyse(frame, plans, people=lambda: [known], rules=RULES)
    found = [overall(results, RULES)[0].p_value, overall(results, RULES, people=lambda: [known])[0].p_value]
    assert found == pytest.approx(p_values(messages, successes).tolist())


@pytest.mark.parametrize("split", SPLITS)
def test_all_templates_together_keep_the_promise_when_one_person_receives_several(split):
    rng, runs = np.random.default_rng(13), 1_000
    naive, clustered = (np.array([p_values(*drawn(rng, split)) for _ in range(runs)]) < ALPHA).mean(axis=0)
    assert clustered < ALPHA + 4 * np.sqrt(ALPHA * (1 - ALPHA) / runs)
    if split == "held out of all templates":
        assert naive > 2.5 * ALPHA
