"""Every source there is, in the order in which people see them. A new source is a package here and a line below.

Assets, tables, sensors, checks, status, doctor, connect, the org file and the collector's routes loop over SOURCES.
"""

from __future__ import annotations

from typing import Final

from justai_assets.contract.errors import JustAIError
from justai_assets.sources.chameleon.spec import CHAMELEON
from justai_assets.sources.delta_share.spec import SHARE
from justai_assets.sources.generate.spec import GENERATE
from justai_assets.sources.iterable.spec import ITERABLE
from justai_assets.sources.journey.spec import JOURNEY
from justai_assets.sources.source import Envelopes, Http, Landing, Source
from justai_assets.sources.warehouse_drop.spec import DATABRICKS, REDSHIFT

SOURCES: Final[dict[str, Source]] = {
    one.name: one
    for one in (
        ITERABLE,
        JOURNEY,
        CHAMELEON,
        REDSHIFT,
        DATABRICKS,
        SHARE,
        GENERATE,
    )
}  # fmt: skip
"""Name → source."""


class UnknownSourceError(JustAIError):
    """A name that is no source's, or a source that lacks what is asked of it."""

    code = "unknown_source"


def source_named(name: str) -> Source:
    """The source of a name.

    Raises:
        UnknownSourceError: there is none.
    """
    if name not in SOURCES:
        raise UnknownSourceError(f"{name!r} is not a source", mend=f"choose {', '.join(configurable())}")
    return SOURCES[name]


def configurable() -> tuple[str, ...]:
    """Names of the sources that an org file can have."""
    return tuple(name for name, one in SOURCES.items() if one.settings is not None)


def landing_of(name: str) -> Landing:
    """Where the objects of a source lie.

    Raises:
        UnknownSourceError: there is no such source, or it lands nothing.
    """
    landing = source_named(name).landing
    if landing is None:
        raise UnknownSourceError(f"{name} lands no objects", mend="it is asked for its rows instead")
    return landing


def envelopes_of(name: str) -> Envelopes:
    """How the envelopes of a source are read.

    Raises:
        UnknownSourceError: there is no such source, or it lands no envelopes.
    """
    envelopes = source_named(name).envelopes
    if envelopes is None:
        raise UnknownSourceError(f"{name} lands no JSON envelopes", mend="it lands Parquet, or is asked for its rows")
    return envelopes


def landings() -> dict[str, Landing]:
    """Where objects lie, by source."""
    return {name: one.landing for name, one in SOURCES.items() if one.landing is not None}


def lands(name: str) -> bool:
    """Whether a source lands objects."""
    return source_named(name).landing is not None


def is_drop(name: str) -> bool:
    """Whether a source lands Parquet files."""
    return source_named(name).is_drop


def is_collected(name: str) -> bool:
    """Whether the collector writes the objects of a source."""
    return source_named(name).http is not None


def http_sources() -> dict[str, Http]:
    """What the collector takes, by source."""
    return {name: one.http for name, one in SOURCES.items() if one.http is not None}
