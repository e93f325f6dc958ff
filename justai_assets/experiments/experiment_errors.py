"""What can be wrong with the input of an experiment."""

from __future__ import annotations

from justai_assets.contract.errors import JustAIError


class ExperimentError(JustAIError):
    """Counts, moments or settings that no statistic can be made of; nothing was computed."""

    code = "experiment"
