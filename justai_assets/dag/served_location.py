"""The location as it is served: the assets of the orgs and, where the dbt project is parsed, the marts over them."""

import gc
from typing import Final

import dagster as dg

from justai_assets.dag.location import location
from justai_assets.dag.marts_assets import marts_defs
from justai_assets.orgs.org_loader import Orgs

GARBAGE_EVERY: Final = 50_000
"""Objects between two looks for garbage; Python's own 700 make of the snapshot of 200 orgs a second more."""


def served(orgs: Orgs) -> dg.Definitions:
    """Everything that the code server loads, in one piece."""
    # Millions of objects are made and all are kept: looking for garbage among them, again and again, is a fifth of the
    # time that loading 200 orgs takes. Dagster goes on where this ends, with the repository and its snapshot, so it
    # stays seldom. (Freezing them would save as much again, but at its end DuckDB's binding then writes a page of leaks
    # to stderr.)
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        return dg.Definitions.merge(location(orgs), marts_defs(list(orgs.by_slug.values())))
    finally:
        first, *_ = gc.get_threshold()
        gc.set_threshold(max(first, GARBAGE_EVERY), 20, 50)
        if is_collecting:
            gc.enable()
