"""Many questions at once: Holm's correction, over metrics and over variants."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """P-values adjusted so that the chance of any false alarm among them stays the nominal one.

    Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6: sorted upwards, the
    k-th of n is multiplied by n − k + 1, and none may be below the one before. It asks nothing of how the metrics
    depend on each other, which matters: a click is an open, too. Always-valid p-values stay valid at any stopping time
    after it, because each of them is.

    statsmodels' multipletests gives the same (a test holds it to that) in 25 ms a call, once a template and metric.

    Args:
        p_values: one per question; None was not asked, stays None and does not count.

    >>> holm([0.125, None, 0.5, 0.25])
    (0.375, None, 0.5, 0.5)
    """
    asked = sorted((p, at) for at, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    floor = 0.0
    for rank, (p, at) in enumerate(asked):
        floor = max(floor, min(1.0, p * (len(asked) - rank)))
        adjusted[at] = floor
    return tuple(adjusted)
