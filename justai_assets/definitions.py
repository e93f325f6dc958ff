"""The code location. Loading it reads org files and nothing else: no network, no secret, no table."""

import dagster as dg

from justai_assets.dag.served import served
from justai_assets.settings import Settings


@dg.definitions
def defs() -> dg.Definitions:
    """The assets of the orgs in JUSTAI_ORGS_DIR (a slice of them: JUSTAI_ORGS), and the marts where they are parsed."""
    return served(Settings.from_environment().orgs())
