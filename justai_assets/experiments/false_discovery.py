"""Many templates at once: which of the decisions hold when at most a share of all discoveries may be false.

Each template is decided alone, with an error of its own. Of twenty templates without any difference one may well ship.
Where the org file names a false-discovery rate q, this reading says which templates hold together. It decides nothing.

The procedure is e-BH (Wang & Ramdas 2022, "False discovery rate control with e-values", J. R. Stat. Soc. B 84): with K
templates and their e-values in falling order, the first k templates are discoveries, for the greatest k with
e₍ₖ₎ ≥ K/(q·k). The e-value is the mixture likelihood ratio M(I) of sequential.py, 1 over the always-valid p-value:
under no difference its mean is at most 1 at any stopping time. On these p-values e-BH therefore is Benjamini &
Hochberg's (1995) procedure, and it needs no assumption about how templates depend on each other, which matters: they
share people and controls.

The promise holds on the day on which somebody acts, whenever that is: of the templates listed then, at most the share q
is false on average. It does not hold for the list of all templates that were ever listed (Tavyrikov, Goeman & de Heide
2025, "Carefree multiple testing with e-processes", arXiv 2501.19360).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from justai_assets.experiments.metric_names import higher_is_better
from justai_assets.experiments.result_records import TemplateResult

DECIDED_ALONE: Final = (
    "Each template is decided alone, with an error of its own: of many templates without a difference one may be "
    "decided all the same. experiments.false_discovery_rate in the org file says which decisions hold together."
)
"""What is said of several templates where the org file names no rate."""


@dataclass(frozen=True)
class Discoveries:
    """The templates whose key metric differs, at a false-discovery rate.

    Attributes:
        rate: the share of false ones among them that is allowed on average.
        tested: templates with a control, whatever is known of them by now.
        better: templates whose new copy does better than the control.
        worse: templates whose new copy does worse.
        alone: templates whose own interval excludes "no lift" and that are not among them.
    """

    rate: float
    tested: int
    better: tuple[str, ...]
    worse: tuple[str, ...]
    alone: tuple[str, ...]

    @property
    def reading(self) -> str:
        """How many of how many."""
        return f"{len(self.better) + len(self.worse)} of {self.tested}"

    @property
    def sentence(self) -> str:
        """The reading in a sentence."""
        found = [("better", self.better), ("worse", self.worse)]
        said = [f"the new copy does {how} in {', '.join(names)}" for how, names in found if names]
        more = f" Decided alone, and not at this rate: {', '.join(self.alone)}." if self.alone else ""
        share = f"{self.rate:.0%}".replace("%", "\u00a0%")
        return (
            f"Over {self.tested} {'template' if self.tested == 1 else 'templates'}, with at most {share} false "
            f"discoveries on average: {' and '.join(said) or 'no template differs'}.{more}"
        )


def benjamini_hochberg(p_values: Sequence[float], rate: float) -> list[bool]:
    """Which are discoveries: the k smallest p-values, for the greatest k whose k-th is at most rate · k / K.

    >>> benjamini_hochberg([0.08, 0.001, 0.9, 0.04], 0.1)
    [False, True, False, True]
    """
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    passed = [rank for rank, at in enumerate(order, start=1) if p_values[at] <= rate * rank / len(order)]
    found = set(order[: max(passed, default=0)])
    return [at in found for at in range(len(p_values))]


def discoveries(results: Sequence[TemplateResult], rate: float, *, alpha: float) -> Discoveries:
    """Read the key metrics of all templates together.

    A template with a broken split or too little data counts among the tested and is never a discovery.

    Args:
        results: the templates' results.
        rate: false-discovery rate, above 0 and below 1.
        alpha: error of a template alone.
    """
    tested = [one for one in results if one.plan.has_control]
    p_values = [_p_value(one) for one in tested]
    listed: dict[bool, list[str]] = {True: [], False: []}
    alone = []
    for one, p_value, is_found in zip(tested, p_values, benjamini_hochberg(p_values, rate), strict=True):
        key = one.key
        if is_found and key is not None:
            is_up = (key.comparison.difference.value or 0.0) > 0
            listed[is_up == higher_is_better(key.metric)].append(one.plan.template)
        elif p_value <= alpha:
            alone.append(one.plan.template)
    return Discoveries(rate, len(tested), tuple(listed[True]), tuple(listed[False]), tuple(alone))


def _p_value(result: TemplateResult) -> float:
    """The always-valid p-value of the metric that decides; 1 where nothing may be read."""
    found = None if result.key is None or not result.is_readable else result.key.comparison.always_valid_p
    return 1.0 if found is None else found
