"""Reading webhook landings: JSON lines of envelopes, typed in one streaming pass, no line lost.

A day is parsed strictly and all at once. Only when a file breaks does that file go line by line, in Python: the lines
that are sound are parsed as before, the others come back with their reason and line number.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import zstandard

from justai_assets.contract.errors import JustAIError
from justai_assets.landing.identity import event_id

REJECTED_SCHEMA = pl.Schema(
    {"reason": pl.String, "source_file": pl.String, "source_row": pl.Int64, "record_id": pl.String, "records": pl.Int64}
)
"""Refused records and files, as the readers of the landing zone return them."""

MAX_LINE_BYTES = 32 << 20
SALVAGE_LINES = 512
_BLANK = " \t\r\n\x0b\x0c"
"""White space of which a line may consist without being a record: ASCII only, as bytes.strip() has it."""

_BROKEN = object()
_DIGEST = re.compile(r"[0-9a-f]{32,64}")


class UnreadableError(JustAIError):
    """A landing file whose compression is damaged: what comes after the damage is lost to us, and counted as one."""

    code = "unreadable_file"


def count_records(files: list[Path]) -> int:
    """Lines that are not blank, over all files, counted without parsing them; an unreadable file counts as one.

    This is what "received" means for a webhook door; it shares no code with the parser that it is held against.
    """
    try:
        return _count_lines(files)
    except (pl.exceptions.PolarsError, OSError):
        return sum(_count_lines_or_one(file) for file in files)


def scan_envelopes(
    files: list[Path], keys: dict[str, str], body: pl.Struct, *, with_line: bool = False
) -> pl.LazyFrame:
    """A strict scan of files: executing it raises a PolarsError when any line is not an envelope.

    Args:
        files: the files.
        keys: local path → landing key, which becomes source_file.
        body: the fields of the body that are needed; other fields are skipped while parsing.
        with_line: also give the line itself, as `line`, for fields whose names are not known beforehand.
    """
    # Batch by batch: as an expression replace_strict does not stream, and holds a day of bodies (docs/performance.md).
    key = pl.col("_path").map_batches(
        lambda paths: paths.replace_strict(keys, return_dtype=pl.String), return_dtype=pl.String, is_elementwise=True
    )
    parsed = pl.scan_ndjson(files, schema=_schema(body), include_file_paths="_path").select(
        pl.exclude("_path"), key.alias("source_file")
    )
    # A blank id is no id: left as it is, all events without one would be the same event.
    parsed = parsed.with_columns(_present_id())
    # An object read into a text column is not escaped again by the parser: only the line itself is sound JSON.
    return pl.concat([parsed, _records(files)], how="horizontal") if with_line else parsed


def salvage(file: Path, key: str, door: str, body: pl.Struct, target: Path) -> pl.DataFrame:
    """Copy the sound lines of a file to `target` and return the others (REJECTED_SCHEMA).

    Whether a line is sound is decided by the parser of the fast path itself, over ever smaller pieces, so that a
    record's fate does not depend on its neighbours. A line without an id gets the one its body has.
    """
    rejected: list[dict[str, Any]] = []
    with target.open("wb") as out:
        try:
            for piece in _batched(enumerate(_lines(file)), SALVAGE_LINES):
                for row, line, found in _sound(piece, body):
                    sound = None if found is _BROKEN else line if found else _with_id(line, door)
                    if sound is not None:
                        out.write(sound + b"\n")
                    else:
                        reason, record_id = _why(line)
                        rejected.append(_rejection(reason, key, row, record_id))
        except UnreadableError:
            rejected.append(_rejection("unreadable_file", key, None, None))
    return pl.DataFrame(rejected, schema=REJECTED_SCHEMA)


def _sound(piece: Sequence[tuple[int, bytes]], body: pl.Struct) -> Iterator[tuple[int, bytes, object]]:
    """Each line with the id the parser found in it (None: none), or _BROKEN."""
    if not piece:
        return
    try:
        frame = pl.read_ndjson(io.BytesIO(b"\n".join(line for _, line in piece)), schema=_schema(body))
    except (pl.exceptions.PolarsError, OSError):
        frame = None
    if frame is not None and frame.height == len(piece):
        # A null id and a null body: the envelope holds nothing to compute an id from.
        frame = frame.with_columns(_present_id())
        broken = frame.select(pl.col("id").is_null() & pl.col("body").is_null()).to_series()
        for (row, line), found, is_broken in zip(piece, frame["id"], broken, strict=True):
            yield row, line, _BROKEN if is_broken else found
    elif len(piece) == 1:
        yield (*piece[0], _BROKEN)
    else:
        half = len(piece) // 2
        yield from _sound(piece[:half], body)
        yield from _sound(piece[half:], body)


def _present_id() -> pl.Expr:
    return pl.when(pl.col("id").str.strip_chars() != "").then(pl.col("id")).alias("id")


def _with_id(line: bytes, door: str) -> bytes | None:
    """The line with the id that its writer left out.

    None when the body has no canonical form: it is nested too deeply, or holds lone surrogates.
    """
    try:
        envelope = json.loads(line)
        envelope["id"] = event_id(door, envelope["body"], str(envelope.get("received_at") or ""))
        return json.dumps(envelope).encode()
    except (ValueError, RecursionError):
        return None


def _why(line: bytes) -> tuple[str, str | None]:
    """The reason code of a line that the parser refused, and its id where it has one."""
    try:
        envelope = json.loads(line.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return "not_json", None
    if not isinstance(envelope, dict):
        return "not_json", None
    found = envelope.get("id")
    is_body_sound = isinstance(envelope.get("body"), dict) and isinstance(envelope.get("query"), dict | None)
    is_digest = isinstance(found, str) and _DIGEST.fullmatch(found) is not None
    return "bad_body" if is_body_sound else "bad_envelope", found if is_digest else None


def _schema(body: pl.Struct) -> dict[str, pl.DataType]:
    query = pl.Struct({"campaignId": pl.String(), "tracking_id": pl.String()})
    return {"id": pl.String(), "received_at": pl.String(), "query": query, "body": body}


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are not JSON


def _rejection(reason: str, key: str, row: int | None, record_id: str | None) -> dict[str, Any]:
    return {"reason": reason, "source_file": key, "source_row": row, "record_id": record_id, "records": 1}


def _lines(file: Path) -> Iterator[bytes]:
    """Lines that are not blank; one that is too long is cut, and then is no JSON."""
    held = b""
    for chunk in _content(file):
        *whole, held = (held + chunk).split(b"\n")
        held = held[:MAX_LINE_BYTES]
        yield from (line for line in whole if line.strip())
    if held.strip():
        yield held


def _content(file: Path) -> Iterator[bytes]:
    """The decompressed content; UnreadableError when a frame is damaged, or cut short, which the library lets pass."""
    with file.open("rb") as raw:
        is_compressed = raw.read(4) == b"\x28\xb5\x2f\xfd"
        raw.seek(0)
        frame = None
        while chunk := raw.read(1 << 18):
            while chunk and is_compressed:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                try:
                    piece = frame.decompress(chunk)
                except zstandard.ZstdError:
                    raise UnreadableError(f"{file.name}: the compressed stream is damaged") from None
                yield piece
                chunk = frame.unused_data if frame.eof else b""
                frame = None if frame.eof else frame
            if chunk:
                yield chunk
        if frame is not None:
            raise UnreadableError(f"{file.name}: the compressed stream is cut short")


def _batched(lines: Iterable[tuple[int, bytes]], size: int) -> Iterator[list[tuple[int, bytes]]]:
    """Pieces of at most `size`; what was read before a file turns out to be damaged comes before the error."""
    piece: list[tuple[int, bytes]] = []
    try:
        for line in lines:
            piece.append(line)
            if len(piece) == size:
                yield piece
                piece = []
    except UnreadableError:
        yield piece
        raise
    yield piece


def _count_lines(files: list[Path]) -> int:
    if not files:
        return 0
    return int(_records(files).select(pl.len()).collect().item())


def _records(files: list[Path]) -> pl.LazyFrame:
    return pl.scan_lines(files).filter(pl.col("line").str.strip_chars(_BLANK) != "")


def _count_lines_or_one(file: Path) -> int:
    # Invalid UTF-8 or a broken zstd frame: counted by bytes, plus one for the part that cannot be read.
    count = 0
    try:
        for _ in _lines(file):
            count += 1
    except UnreadableError:
        count += 1
    return count
