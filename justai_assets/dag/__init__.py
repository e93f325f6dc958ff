"""Dagster, and nothing else.

No `from __future__ import annotations` in this folder: Dagster reads annotations as objects.
"""

import warnings

import dagster as dg

# Ranged backfills, lookback mappings and partitioned checks are still marked beta or preview in 1.13. They are used on
# purpose and tested; a dozen warnings at every start would only hide the one that matters.
for _category in (dg.BetaWarning, dg.PreviewWarning):
    warnings.filterwarnings("ignore", category=_category)
