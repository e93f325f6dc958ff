"""Sample-ratio check: did the arms receive the shares that were configured?

A split that is off is a broken experiment, whatever the rates say: whoever is missing is missing for a reason
(Fabijan et al. 2019, "Diagnosing sample ratio mismatch in online controlled experiments", KDD).

Two p-values. `p_value` is the chi-square test for one look. `always_valid_p` may be read every day: 1 over the Bayes
factor of a Beta prior around the configured share against that share itself,

    BF = B(kπ + n₁, k(1−π) + n₀) / B(kπ, k(1−π)) / (π^n₁ (1−π)^n₀)

which is a martingale with mean 1 while the split is right (Lindon & Malek 2022, "Anytime-valid inference for
multinomial count data", NeurIPS). k = 1000 expects a broken split to be off by about a percentage point.

The units are what the split was drawn over. Drawn per message, messages; drawn per user (an external split), people:
counting a person's messages then would call an honest split broken because some people receive more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from justai_assets.experiments.experiment_errors import ExperimentError

SplitUnit = Literal["message", "user"]

DEFAULT_CONTROL_SHARE: Final = 0.10
_CONCENTRATION: Final = 1000.0


@dataclass(frozen=True)
class SampleRatio:
    """How the split came out.

    Attributes:
        unit: what was counted.
        treatment: units in the treatment.
        control: units in the control.
        expected_control_share: as configured.
        control_share: as found; None without units.
        p_value: chi-square, for one look; 1 without units.
        always_valid_p: for a look every day; 1 without units.
        is_broken: always_valid_p is below the threshold.
    """

    unit: SplitUnit
    treatment: int
    control: int
    expected_control_share: float
    control_share: float | None
    p_value: float
    always_valid_p: float
    is_broken: bool


def always_valid_ratio_p(
    treatment: npt.ArrayLike, control: npt.ArrayLike, control_share: float
) -> npt.NDArray[np.float64]:
    """P-value of the configured share that may be read at any time; arrays of counts so far, elementwise."""
    from scipy.special import betaln, xlogy

    n1, n0 = np.asarray(treatment, dtype=np.float64), np.asarray(control, dtype=np.float64)
    a1, a0 = _CONCENTRATION * (1 - control_share), _CONCENTRATION * control_share
    log_factor = betaln(a1 + n1, a0 + n0) - betaln(a1, a0) - xlogy(n1, 1 - control_share) - xlogy(n0, control_share)
    return np.asarray(np.exp(np.minimum(0.0, -log_factor)), dtype=np.float64)


def check_ratio(
    treatment: int, control: int, *, control_share: float, unit: SplitUnit = "message", threshold: float = 0.001
) -> SampleRatio:
    """Compare the counts of the arms with the configured share of the control.

    Args:
        treatment: units (messages or people) in the treatment so far.
        control: units in the control so far.
        control_share: configured share of the control, above 0 and below 1.
        unit: what the split was drawn over.
        threshold: always-valid p-value below which the split counts as broken. Strict, because a broken split stops
            every other reading.

    Raises:
        ExperimentError: the share is not between 0 and 1, or a count is negative.

    >>> check_ratio(9000, 1000, control_share=0.1).is_broken, check_ratio(9000, 1300, control_share=0.1).is_broken
    (False, True)
    """
    from scipy.stats import chisquare

    if not 0 < control_share < 1:
        raise ExperimentError(f"a control share of {control_share} is no split", mend="give a share between 0 and 1")
    if treatment < 0 or control < 0:
        raise ExperimentError("a count of units is negative")
    total = treatment + control
    if total == 0:
        return SampleRatio(unit, 0, 0, control_share, None, 1.0, 1.0, is_broken=False)
    expected = [total * (1 - control_share), total * control_share]
    p_value = float(chisquare([treatment, control], expected).pvalue)
    anytime = float(always_valid_ratio_p(treatment, control, control_share))
    return SampleRatio(
        unit, treatment, control, control_share, control / total, p_value, anytime, is_broken=anytime < threshold
    )
