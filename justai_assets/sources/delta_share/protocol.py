"""The protocol's objects: a table's name, and the NDJSON answers as protocol, metadata, files and changes.

Both response formats are read: `parquet`, whose lines are the protocol's own, and `delta`, whose lines wrap the table's
log actions. The last line (endStreamAction) says that an answer is whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import quote

from justai_assets.sources.delta_share.share_errors import (
    BadAnswerError,
    ProfileError,
    ShareAccessError,
    ThrottledError,
    TransientShareError,
    TruncatedAnswerError,
    quoted,
)

CHANGE_KINDS = ("add", "remove", "cdf", "cdc")


@dataclass(frozen=True)
class SharedFile:
    """One file of a shared table.

    Attributes:
        id: stable across requests; the same id is the same content.
        url: pre-signed address, a secret while it lives.
        size: bytes; 0 where the list does not say it.
        records: rows, from the file's statistics, or None.
        partition: partition column → value; None is NULL.
        first: smallest event_date by the statistics, or None when they do not say.
        last: greatest event_date by the statistics, or None.
        has_undated: whether the statistics count a NULL event_date; None when they do not say.
        deletion_vector: identity of the file's deletion vector, "" without one.
    """

    id: str
    url: str = field(repr=False)
    size: int
    records: int | None = None
    partition: Mapping[str, str | None] = field(default_factory=dict, hash=False)
    first: date | None = None
    last: date | None = None
    has_undated: bool | None = None
    deletion_vector: str = ""


@dataclass
class Answer:
    """The lines of one page.

    Attributes:
        version: Delta-Table-Version of the response.
        protocol: the protocol object, unwrapped.
        metadata: the metaData object, unwrapped.
        files: of a query; of a change feed the files that hold changes, whatever the kind of change.
        is_delta: whether it came in the delta response format.
        next_page: token of the next page, or "".
        refresh_token: asks for fresh addresses of the same snapshot, or "".
    """

    version: int
    protocol: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    files: list[SharedFile] = field(default_factory=list)
    is_delta: bool = False
    next_page: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)


def read_answer(version: int, lines: Iterable[str], *, announces_end: bool, secrets: tuple[str, ...] = ()) -> Answer:
    """The answer that NDJSON lines make.

    Args:
        version: the response's Delta-Table-Version.
        lines: the body.
        announces_end: whether the response headers promise an endStreamAction.
        secrets: never shown, should the server repeat them in an error.

    Raises:
        TruncatedAnswerError: the promised endStreamAction is missing, or a line is cut.
        TransientShareError, ThrottledError, ShareAccessError, BadAnswerError: the endStreamAction carries an error, or
            the server does not mark the end of its answers, so that a cut one could not be told from a whole one.
    """
    answer = Answer(version)
    ended = False
    for line in lines:
        if not line.strip():
            continue
        if ended:
            raise BadAnswerError("the server sent lines after the endStreamAction", mend="report it to the provider")
        ended = _take(answer, _parse(line), secrets)
    if not ended and announces_end:
        raise TruncatedAnswerError("the list of files stopped before its end", mend="it is retried")
    if not ended:
        raise BadAnswerError(
            "the share server does not mark the end of its answers (endStreamAction), so a cut list would look whole",
            mend="ask the provider to upgrade the Delta Sharing server",
        )
    if not answer.protocol or not answer.metadata:
        raise BadAnswerError("the answer lacks its protocol or metaData line", mend="report it to the provider")
    return answer


def _parse(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        # A JSON line that is cut in its middle is what a broken transfer leaves.
        raise TruncatedAnswerError("a line of the list of files is cut or is not JSON", mend="it is retried") from None
    return value


def _take(answer: Answer, line: dict[str, Any], secrets: tuple[str, ...]) -> bool:
    try:
        if "file" in line:
            _take_file(answer, line["file"])
        elif "protocol" in line:
            answer.protocol = line["protocol"].get("deltaProtocol") or line["protocol"]
            answer.is_delta = "deltaProtocol" in line["protocol"]
        elif "metaData" in line:
            answer.metadata = line["metaData"].get("deltaMetadata") or line["metaData"]
        elif "endStreamAction" in line:
            _take_end(answer, line["endStreamAction"] or {}, secrets)
            return True
        else:
            for kind in CHANGE_KINDS:
                if kind in line:
                    answer.files.append(_file(line[kind]))
            # Any other line is an addition to the protocol, which clients are to pass over.
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise BadAnswerError(
            f"a line of the list of files lacks what the protocol requires ({type(error).__name__})",
            mend="report it to the provider",
        ) from None
    return False


def _take_file(answer: Answer, wrapped: dict[str, Any]) -> None:
    single = wrapped.get("deltaSingleAction")
    if single is None:
        answer.files.append(_file(wrapped))
        return
    action = next(single[kind] for kind in CHANGE_KINDS if kind in single)
    vector = action.get("deletionVector")
    merged = {
        **action,
        "id": wrapped["id"],
        "url": action["path"],
        "size": action.get("size") or wrapped.get("size", 0),
    }
    if vector:
        merged["deletionVectorId"] = wrapped.get("deletionVectorFileId") or vector.get("storageType", "inline")
    answer.files.append(_file(merged))


def _take_end(answer: Answer, end: dict[str, Any], secrets: tuple[str, ...]) -> None:
    answer.next_page = end.get("nextPageToken") or ""
    answer.refresh_token = end.get("refreshToken") or ""
    if not end.get("errorMessage"):
        return
    said = quoted(str(end["errorMessage"]), secrets)
    status = int(end.get("httpStatusErrorCode") or 0)
    message = f"the server failed while it listed the files: {said}"
    if status in {401, 403}:
        raise ShareAccessError(message, mend="ask the provider to grant the table to our recipient")
    if status == 429:
        raise ThrottledError(message, mend="it is retried")
    if 400 <= status < 500:
        raise BadAnswerError(message, mend="report it to the provider")
    raise TransientShareError(message, mend="it is retried; if it stays, report it to the provider")


def _file(action: dict[str, Any]) -> SharedFile:
    stats = json.loads(action["stats"]) if action.get("stats") else {}
    low, high = stats.get("minValues") or {}, stats.get("maxValues") or {}
    nulls = (stats.get("nullCount") or {}).get("event_date")
    records = stats.get("numRecords")
    values = action.get("partitionValues") or {}
    return SharedFile(
        id=str(action["id"]),
        url=str(action["url"]),
        size=int(action.get("size") or 0),
        records=None if records is None else int(records),
        # NULL is "" in one response format and null in the other.
        partition={name: None if value in (None, "") else str(value) for name, value in values.items()},
        first=_day(low.get("event_date")),
        last=_day(high.get("event_date")),
        has_undated=None if nulls is None else nulls > 0,
        deletion_vector=str(action.get("deletionVectorId") or ""),
    )


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10]) if value else None
    except ValueError:
        return None


@dataclass(frozen=True)
class TableName:
    """`share.schema.table`, each name as the provider spells it (the server ignores case)."""

    share: str
    schema: str
    table: str

    @classmethod
    def parse(cls, text: str) -> TableName:
        """From `share.schema.table`; ProfileError for anything else."""
        parts = text.split(".")
        if len(parts) != 3 or not all(parts):
            raise ProfileError(f"{text!r} does not name a shared table", mend="write it as share.schema.table")
        return cls(*parts)

    def __str__(self) -> str:
        """share.schema.table."""
        return f"{self.share}.{self.schema}.{self.table}"

    @property
    def path(self) -> str:
        """Its path below the endpoint."""
        share, schema, table = (quote(part, safe="") for part in (self.share, self.schema, self.table))
        return f"/shares/{share}/schemas/{schema}/tables/{table}"
