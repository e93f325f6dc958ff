"""The code location. Loading it reads org files and nothing else: no network, no secret, no table."""

import gc

import dagster as dg

from justai_assets.dag.location import location
from justai_assets.dag.marts import marts_defs
from justai_assets.settings import Settings


@dg.definitions
def defs() -> dg.Definitions:
    """The assets of the orgs in JUSTAI_ORGS_DIR (a slice of them: JUSTAI_ORGS), and the marts where they are parsed."""
    orgs = Settings.from_environment().orgs()
    # Millions of objects are made and all are kept: looking for garbage among them, again and again, is a tenth of
    # the time that loading 200 orgs takes. (Freezing them would save as much again, but at its end DuckDB's binding
    # then writes a page of leaks to stderr.)
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        return dg.Definitions.merge(location(orgs), marts_defs(list(orgs.by_slug.values())))
    finally:
        if is_collecting:
            gc.enable()
