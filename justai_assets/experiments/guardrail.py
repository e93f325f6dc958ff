"""The guardrail: did unsubscribes rise, however few there are?

A key metric waits for a minimum of successes in each arm. A guardrail must not: a control with hardly any unsubscribe
beside a treatment with hundreds is just what it is there to see. It is the same score test of the difference, by send
day, which holds with few successes, too, once both arms have the minimum of messages.

It is read every day, so it takes the always-valid p-value (sequential.py), with a τ of its own: tuned to +10 % of a
rate of one in a thousand, the mixture would wait for a hundred thousand messages to see what is plain to see. Here τ is
`guardrail_rise` times the pooled rate, by default a doubling. The promise does not depend on τ; that it holds for rates
down to 2 in 10,000 over a year of daily looks is simulated in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from justai_assets.experiments import metric_names as metrics
from justai_assets.experiments.arms import Arm
from justai_assets.experiments.comparison import strata_of
from justai_assets.experiments.decision_rules import Rules
from justai_assets.experiments.intervals import difference_z
from justai_assets.experiments.result_records import Comparison, MetricResult
from justai_assets.experiments.sequential import always_valid_p, spread


def unsubscribes_rose(results: Sequence[MetricResult], rules: Rules) -> Comparison | None:
    """The comparison of unsubscribes, if the treatment has surely more of them than the control; else None."""
    for result in results:
        if result.metric == metrics.UNSUBSCRIBE and result.is_own_window:
            found = result.comparison
            return found if rise_p(found.treatment, found.control, rules) <= rules.alpha else None
    return None


def rise_p(treatment: Arm, control: Arm, rules: Rules) -> float:
    """P-value of "no more than in the control" that may be read every day; 1 before the minimum of messages."""
    if min(treatment.messages, control.messages) < rules.minimum_messages:
        return 1.0
    x1, n1, x0, n0 = np.array(strata_of(treatment, control)).T
    z = float(difference_z(x1, n1, x0, n0, strata=True))
    known = spread(x1, n1, x0, n0, target_lift=rules.guardrail_rise, strata=True)
    return float(always_valid_p(z, known)) if z > 0 else 1.0
