"""The whole list of a share's files, and which days its change feed says were touched."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

from justai_assets.sources.delta_share.answers import Answer, SharedFile
from justai_assets.sources.delta_share.client import ShareClient, TableName
from justai_assets.sources.delta_share.days import Day, known_days
from justai_assets.sources.delta_share.errors import ShareError, ShareMovedError, ThrottledError, UnsupportedShareError
from justai_assets.sources.delta_share.schema import SharedSchema, check_schema


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
