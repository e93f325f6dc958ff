"""Columns beyond the contract that an org file declares: their names, their types, and the tables they flow to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import polars as pl
from pydantic import AfterValidator, BeforeValidator

from justai_assets.contract.foreign_names import is_personal_column
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    CUSTOM_EVENTS,
    DECLARED,
    DELTA_SHARE,
    ESP_EVENTS,
    QUARANTINE,
    UNIFIED_EVENTS,
    Column,
    Table,
)

if TYPE_CHECKING:
    from justai_assets.orgs.org_model import Org

Kind = Literal["text", "number"]

VALUE: Final = "value"
"""The declared column that is money: what a custom event is worth. It is a number of 0 or more."""

_NUMBERS: Final = (VALUE, "revenue")
"""Names that are numbers where the org file gives names alone."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_DTYPES: Final[dict[Kind, pl.DataType]] = {"text": pl.String(), "number": pl.Float64()}
_RESERVED: Final = frozenset(
    {
        *(name for table in (ESP_EVENTS, CUSTOM_EVENTS, ATTRIBUTED_EVENTS, UNIFIED_EVENTS, QUARANTINE)
          for name in table.schema),
        "event_class", "person", "source", "send_date", "copy", "org", "row", "ts", "tag", "at", "age", "hash", "part",
    }
)  # fmt: skip
"""Names of our own columns, those of tables and those that the work on them adds for a while."""


def _as_mapping(value: Any) -> Any:
    """Names alone are text, but for those that are numbers by name."""
    names = [value] if isinstance(value, str) else value
    if isinstance(names, dict):
        return names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("list the names of columns, or write name: text or name: number below extra_columns")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"names {', '.join(repeated)} twice; remove the repetition")
    return {name: "number" if name in _NUMBERS else "text" for name in names}


def _checked(columns: dict[str, Kind]) -> dict[str, Kind]:
    for name, kind in columns.items():
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is no name of a column here: a lower-case letter, then lower-case letters, digits and "
                "underscores, 63 at most; a file's column may be written in any case"
            )
        if name in _RESERVED:
            raise ValueError(f"{name} is a column of the platform's own; give the column another name in the export")
        if is_personal_column(name):
            raise ValueError(
                f"{name} says by its name that it holds personal data, which no unified stream may; leave it out"
            )
        if name == VALUE and kind != "number":
            raise ValueError(f"{VALUE} is what a custom event is worth, a number; write {VALUE}: number")
    return columns


def dtype_of(kind: Kind) -> pl.DataType:
    """The type of a declared column's values in a table."""
    return _DTYPES[kind]


ExtraColumns = Annotated[dict[str, Kind], BeforeValidator(_as_mapping), AfterValidator(_checked)]


def of_source(org: Org, source: str) -> Mapping[str, Kind]:
    """The declared columns of a source: name → kind; none of a source that cannot declare any."""
    found: Mapping[str, Kind] = getattr(org.sources.of(source), "extra_columns", {})
    return found


def of_org(org: Org) -> dict[str, Kind]:
    """The declared columns of all sources that the org reads, in the order of its file.

    Raises:
        ValueError: two sources declare one name with two kinds.
    """
    columns: dict[str, Kind] = {}
    for source in org.sources.present():
        if source != org.engagement and source not in org.custom:
            continue
        for name, kind in of_source(org, source).items():
            if columns.setdefault(name, kind) != kind:
                raise ValueError(f"extra_columns: {name} is text in one source and a number in another; choose one")
    return columns


def declared(org: Org, table: Table) -> Table:
    """A table of an org with the columns that its file declares, nullable, after the contract's own.

    Declared columns flow from the sources that have them to custom_events, attributed_events, delta_share and
    unified_events; every other table is returned as it is.
    """
    if table not in (CUSTOM_EVENTS, ATTRIBUTED_EVENTS, DELTA_SHARE, UNIFIED_EVENTS):
        return table
    extra = tuple(Column(name, _DTYPES[kind], DECLARED) for name, kind in of_org(org).items())
    return replace(table, columns=(*table.columns, *extra)) if extra else table


def extra_of(table: Table) -> dict[str, Kind]:
    """The declared columns of a table that `declared` returned: name → kind."""
    kinds: dict[str, Kind] = {}
    for column in table.columns:
        if column.doc == DECLARED:
            kinds[column.name] = "number" if column.dtype == pl.Float64 else "text"
    return kinds


def exact_sum(amounts: pl.Expr) -> pl.Expr:
    """The sum of amounts, exact to a millionth and the same to the bit in whatever order the rows come.

    Floats added in another order are another number, and a day that is built again must be equal; to sort them first
    does not help, because the engine knows that a sum needs no order and leaves the sorting out.
    """
    return amounts.cast(pl.Decimal(38, 6)).sum().cast(pl.Float64)


def has_value(org: Org) -> bool:
    """Whether custom events of the org may carry what they are worth."""
    return VALUE in of_org(org)
