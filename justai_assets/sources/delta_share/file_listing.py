"""The list of a share's files, checked against the contract, and the days that its change feed says were touched."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from justai_assets.contract.errors import ContractError
from justai_assets.contract.foreign_names import safe_columns
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.sources.delta_share.client import ShareClient
from justai_assets.sources.delta_share.file_days import Day, known_days
from justai_assets.sources.delta_share.protocol import Answer, SharedFile, TableName
from justai_assets.sources.delta_share.share_errors import (
    BadAnswerError,
    ShareError,
    ShareMovedError,
    ThrottledError,
    UnsupportedShareError,
)

# The value of a timestamp without a zone is UTC by contract, as in a warehouse drop.
_ACCEPTED = {
    "event_name": ("string",),
    "event_timestamp": ("timestamp", "timestamp_ntz"),
    "event_date": ("date",),
    "message_id": ("string",),
    "template_id": ("string",),
    "campaign_id": ("string",),
}

_DECLARABLE = ("string", "byte", "short", "integer", "long", "float", "double")

HARMLESS_FEATURES = frozenset(
    {
        # A file that carries a deletion vector is refused by itself; a table that merely may have one is not.
        "deletionVectors",
        "timestampNtz",
        "v2Checkpoint",
        "vacuumProtocolCheck",
        "domainMetadata",
        "variantType",
        "variantType-preview",
        "typeWidening",
        "typeWidening-preview",
    }
)
"""Reader features that do not change how the six columns are read: by file, after the check of the file's own types."""

MAX_READER_VERSION = 3


@dataclass(frozen=True)
class SharedSchema:
    """What a listing says of the table.

    Attributes:
        table_id: the table's own id; a table that is dropped and made anew gets another.
        added: columns that are neither the contract's nor declared, as they may be shown; they are not mirrored.
        lacking: declared columns that it does not have; they are null.
        by_day: whether the table is partitioned by event_date.
        change_feed: whether it says that it has a change data feed.
    """

    table_id: str
    added: tuple[str, ...]
    by_day: bool
    change_feed: bool
    lacking: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the columns."""
        added = (f"columns beyond the contract, not mirrored: {', '.join(self.added)}",) if self.added else ()
        lacking = (f"declared columns that the share lacks, null: {', '.join(self.lacking)}",) if self.lacking else ()
        return (*added, *lacking)


def check_schema(answer: Answer, extra: Collection[str] = ()) -> SharedSchema:
    """The schema of a listing, if it keeps the contract.

    Additive columns pass, and so does a partitioning of any kind.

    Args:
        answer: the listing.
        extra: the declared columns, which the share may lack.

    Raises:
        ContractError: a contract column is missing, or it or a declared one has another type; the message names all.
        UnsupportedShareError: the table needs a reader feature that we lack.
        BadAnswerError: there is no schema in the answer.
    """
    metadata = answer.metadata
    configuration = metadata.get("configuration") or {}
    _check_features(answer.protocol, configuration)
    try:
        fields = {field["name"]: field["type"] for field in json.loads(metadata["schemaString"])["fields"]}
    except (KeyError, TypeError, ValueError):
        raise BadAnswerError("the share's schema cannot be read", mend="report it to the provider") from None
    broken = [_complaint(name, fields) for name in UNIFIED_EVENTS.schema]
    broken += [_unreadable(name, fields[name]) for name in extra if name in fields]
    broken = [one for one in broken if one]
    if broken:
        raise ContractError(
            f"the shared table breaks the contract: {'; '.join(broken)}",
            mend="have the provider restore these columns (or declare them no more), or point "
            "sources.delta_share.table at a view that has them; the mirror keeps its last content",
        )
    fed = (configuration.get("enableChangeDataFeed"), configuration.get("delta.enableChangeDataFeed"))
    return SharedSchema(
        table_id=str(metadata.get("id") or ""),
        added=safe_columns(
            (position, name)
            for position, name in enumerate(fields, start=1)
            if name not in UNIFIED_EVENTS.schema and name not in extra
        ),
        by_day="event_date" in (metadata.get("partitionColumns") or []),
        change_feed="true" in fed,
        lacking=tuple(sorted(name for name in extra if name not in fields)),
    )


def _check_features(protocol: dict[str, Any], configuration: dict[str, str]) -> None:
    wanted = int(protocol.get("minReaderVersion") or 1)
    unknown = sorted(set(protocol.get("readerFeatures") or []) - HARMLESS_FEATURES - {"columnMapping"})
    mend = "ask the provider to share a view of the table instead"
    if wanted > MAX_READER_VERSION or unknown:
        needs = ", ".join(unknown) or f"reader version {wanted}"
        raise UnsupportedShareError(f"the shared table needs what this reader lacks: {needs}", mend=mend)
    if configuration.get("delta.columnMapping.mode", "none") != "none":
        raise UnsupportedShareError("the shared table uses column mapping, which this reader lacks", mend=mend)


def _complaint(name: str, fields: dict[str, Any]) -> str:
    accepted = _ACCEPTED[name]
    if name not in fields:
        near = next((other for other in fields if other.lower() == name), None)
        return f"{name} is missing" + (f" (there is {near}: names are case-sensitive)" if near else "")
    found = fields[name]
    return "" if found in accepted else f"{name} is {_shown(found)}, not {' or '.join(accepted)}"


def _unreadable(name: str, found: Any) -> str:
    """What is wrong with the type of a declared column; "" for numbers and text, which are read as either."""
    is_read = isinstance(found, str) and (found in _DECLARABLE or found.startswith("decimal"))
    return "" if is_read else f"{name}, declared under extra_columns, is {_shown(found)}, not a number or a string"


def _shown(found: Any) -> str:
    return found if isinstance(found, str) else str(found.get("type", "a nested type"))


@dataclass(frozen=True)
class Listing:
    """The files of one version of a shared table that keeps the contract.

    Attributes:
        version: of the share.
        schema: what it says of its columns.
        files: in the order of the answer; all of the table's, or, with hints, at least those that the hints ask for.
        refresh_token: asks for fresh addresses of this very snapshot, or "".
        hints: the hints it was asked with.
    """

    version: int
    schema: SharedSchema
    files: tuple[SharedFile, ...]
    refresh_token: str = field(default="", repr=False)
    hints: str = ""


def list_files(
    client: ShareClient, table: TableName, *, hints: str = "", refresh_token: str = "", extra: Collection[str] = ()
) -> Listing:
    """Every page of the list, checked against the contract and declared columns before the first file is touched.

    Raises:
        ContractError, UnsupportedShareError: see `check_schema`; a file with a deletion vector is refused.
        ShareMovedError: the table changed between two pages.
        ShareError: see `ShareClient`.
    """
    pages: list[Answer] = []
    for page in client.query(table, hints=hints, refresh_token=refresh_token):
        if pages and page.version != pages[0].version:
            raise ShareMovedError("the share changed while its files were listed", mend="it is listed anew")
        pages.append(page)
    files = tuple(file for page in pages for file in page.files)
    marked = [file.id for file in files if file.deletion_vector]
    if marked:
        raise UnsupportedShareError(
            f"{len(marked)} of the share's files carry deletion vectors, which this reader does not apply",
            mend="ask the provider to share a view of the table, or to run REORG TABLE … APPLY (PURGE) and turn "
            "delta.enableDeletionVectors off; the mirror keeps its last content",
        )
    schema = check_schema(pages[0], extra)
    # Asked for with the first page, and given with it or with the last.
    renewal = next((page.refresh_token for page in pages if page.refresh_token), "")
    # One entry an id: a server that repeats a file on two pages must not make its rows count twice.
    unique = {file.id: file for file in files}
    return Listing(pages[0].version, schema, tuple(unique.values()), renewal, hints)


def touched_days(
    client: ShareClient, table: TableName, since: int, version: int, learned: Mapping[str, str]
) -> tuple[frozenset[Day] | None, str]:
    """The days that changed after version `since`, by the table's change feed.

    Returns:
        The days and "", or None and the reason why the feed cannot tell: then the whole list does.

    Raises:
        ThrottledError: after the last try; the server is not to be asked for more.
    """
    days: set[Day] = set()
    try:
        for page in client.changes(table, since + 1, version):
            for file in page.files:
                known = known_days(file, learned)
                if known is None:
                    return None, "a file of the change feed does not tell its days"
                days |= known
    except ThrottledError:
        raise
    except ShareError as error:
        # No feed, a version that is no longer kept, a feed that is not granted or breaks down over a large range of
        # versions: the list of files knows it all anyway.
        return None, f"{error.code} on the change feed"
    return frozenset(days), ""


def day_hints(days: frozenset[Day]) -> str:
    """The jsonPredicateHints for the range of the days; "" where no range says it (undated rows, no day at all).

    Servers may ignore hints: whoever lists filters again.
    """
    dated = [day for day in days if day is not None]
    if not dated or None in days:
        return ""
    bounds = (("greaterThanOrEqual", min(dated)), ("lessThanOrEqual", max(dated)))
    return json.dumps({"op": "and", "children": [_bound(op, day) for op, day in bounds]}, separators=(",", ":"))


def _bound(op: str, day: date) -> dict[str, object]:
    column = {"op": "column", "name": "event_date", "valueType": "date"}
    return {"op": op, "children": [column, {"op": "literal", "value": day.isoformat(), "valueType": "date"}]}
