"""Whether a lake is of this version's format, asked once when something starts that will read and write it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from threading import Thread
from typing import Final

from justai_assets.contract.errors import JustAIError, StorageError
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.lake.delta_log import live_names
from justai_assets.lake.lake_format import LakeFormatError
from justai_assets.lake.store import Lake

PROBES: Final = 5
"""Orgs that are looked at until one has a table: the newest may have nothing yet."""

SECONDS: Final = 10.0
"""How long a store may take to answer. Whoever waits longer asks with the first table that is opened."""


def refuse_other_format(lake: Lake, slugs: Iterable[str]) -> None:
    """Read the log of one table, the first that there is, and refuse a lake of another format.

    Every table is asked again when it is opened. A lake that is not there yet passes; one that cannot be read passes
    with a warning, because what does not need the lake has to start, too.

    Args:
        lake: the lake.
        slugs: the orgs, in the order in which they are looked at.

    Raises:
        LakeFormatError: the table is of another format.
    """
    # Patience belongs to runs, which are lost otherwise.
    hasty = Lake(replace(lake.root, request_seconds=3, retry_seconds=6))
    found: list[JustAIError] = []

    def look() -> None:
        try:
            any(live_names(hasty, slug, UNIFIED_EVENTS) for slug in islice(slugs, PROBES))
        except (JustAIError, OSError) as error:
            found.append(error if isinstance(error, JustAIError) else StorageError(type(error).__name__))

    # A thread, because a lookup of credentials or of a name knows no limit.
    thread = Thread(target=look, name="lake-format", daemon=True)
    thread.start()
    thread.join(SECONDS)
    if found and isinstance(found[0], LakeFormatError):
        raise found[0]
    if found or thread.is_alive():
        why = found[0] if found else f"no answer within {SECONDS:.0f} s"
        logging.getLogger(__name__).warning(
            "whether %s is of this version's format is not known yet: %s. It is asked again with each table.",
            lake.root.url,
            why,
        )
