"""The NDJSON bodies of the protocol, in both response formats."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from justai_assets.testing.share_server.shared_tables import SharedTable, Snapshot, may_hold

Sign = Callable[[str], tuple[str, int]]


@dataclass(frozen=True)
class Capabilities:
    """What the client's delta-sharing-capabilities header says."""

    formats: tuple[str, ...]
    features: frozenset[str]
    wants_end: bool

    @classmethod
    def parse(cls, header: str) -> Capabilities:
        """From the header; what it leaves out has the protocol's defaults."""
        said = dict(part.split("=", 1) for part in header.lower().replace(" ", "").split(";") if "=" in part)
        return cls(
            tuple(said.get("responseformat", "parquet").split(",")),
            frozenset(said.get("readerfeatures", "").split(",")) - {""},
            said.get("includeendstreamaction") == "true",
        )

    def choose(self, snapshot: Snapshot, preferred: str) -> str | None:
        """The format to answer in, or None when the client cannot read the table in any it accepts."""
        needs_delta = any("deletionVector" in add for add in snapshot.files)
        if needs_delta:
            return "delta" if "delta" in self.formats and "deletionvectors" in self.features else None
        return preferred if preferred in self.formats else self.formats[0]


def head(snapshot: Snapshot, form: str) -> list[dict[str, Any]]:
    """Protocol and metaData lines."""
    if form == "delta":
        metadata = {"deltaMetadata": snapshot.metadata, "version": snapshot.version}
        return [{"protocol": {"deltaProtocol": snapshot.protocol}}, {"metaData": metadata}]
    keys = ("id", "name", "description", "format", "schemaString", "partitionColumns")
    metadata = {key: snapshot.metadata[key] for key in keys if snapshot.metadata.get(key) is not None}
    configuration = dict(snapshot.metadata.get("configuration", {}))
    if configuration.pop("delta.enableChangeDataFeed", "false") == "true":
        configuration["enableChangeDataFeed"] = "true"
    return [{"protocol": {"minReaderVersion": 1}}, {"metaData": {**metadata, "configuration": configuration}}]


def file_line(add: dict[str, Any], form: str, sign: Sign) -> dict[str, Any]:
    """The line of a file, in either format, with a pre-signed address."""
    url, expires = sign(add["path"])
    if form == "delta":
        keys = ("partitionValues", "size", "modificationTime", "dataChange", "stats", "deletionVector")
        action = {"path": url, **{key: add[key] for key in keys if key in add}}
        wrapped = {"id": SharedTable.file_id(add["path"]), "size": add["size"], "expirationTimestamp": expires}
        return {"file": {**wrapped, "deltaSingleAction": {"add": action}}}
    # NULL is the empty string in the parquet format, null in Delta's own.
    values = {name: "" if value is None else value for name, value in add.get("partitionValues", {}).items()}
    line = {"url": url, "id": SharedTable.file_id(add["path"]), "partitionValues": values, "size": add["size"]}
    if "stats" in add:
        line["stats"] = add["stats"]
    return {"file": {**line, "expirationTimestamp": expires}}


def query_lines(
    snapshot: Snapshot, body: dict[str, Any], form: str, sign: Sign, page_size: int | None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The lines of one page, and the endStreamAction that closes it."""
    hints = json.loads(body["jsonPredicateHints"]) if body.get("jsonPredicateHints") else None
    files = [add for add in snapshot.files if may_hold(add, hints)]
    token = json.loads(base64.b64decode(body["pageToken"])) if body.get("pageToken") else {}
    start = token.get("start", 0)
    size = page_of(page_size, body.get("maxFiles"), len(files), is_page="pageToken" in body)
    lines = [*head(snapshot, form), *(file_line(add, form, sign) for add in files[start : start + size])]
    end: dict[str, Any] = {}
    if start + size < len(files):
        text = json.dumps({"start": start + size, "version": snapshot.version})
        end["nextPageToken"] = base64.b64encode(text.encode()).decode()
    if body.get("includeRefreshToken"):
        end["refreshToken"] = base64.b64encode(json.dumps({"version": snapshot.version}).encode()).decode()
    expiries = [line["file"]["expirationTimestamp"] for line in lines if "file" in line]
    if expiries:
        end["minUrlExpirationTimestamp"] = min(expiries)
    return lines, end


def page_of(own: int | None, asked: Any, count: int, *, is_page: bool) -> int:
    """How many files a page has. A client that asks for no pages does not know them: it gets all files at once."""
    if not asked and not is_page:
        return max(count, 1)
    return max(1, min(own or count, int(asked or count)))


def change_lines(table: SharedTable, first: int, last: int, form: str, sign: Sign) -> list[dict[str, Any]]:
    """The lines of the change feed between two versions, both inclusive."""
    lines = head(table.snapshot(first), form)
    for version, stamp, kind, action in table.changes(first, last):
        url, expires = sign(action["path"])
        common = {"id": SharedTable.file_id(action["path"]), "version": version, "timestamp": stamp}
        if form == "delta":
            single = {**action, "path": url}
            lines.append({"file": {**common, "expirationTimestamp": expires, "deltaSingleAction": {kind: single}}})
            continue
        values = {name: "" if value is None else value for name, value in action.get("partitionValues", {}).items()}
        line = {**common, "url": url, "partitionValues": values, "size": action.get("size", 0)}
        if "stats" in action and table.with_stats:
            line["stats"] = action["stats"]
        lines.append({"cdf" if kind == "cdc" else kind: {**line, "expirationTimestamp": expires}})
    return lines
