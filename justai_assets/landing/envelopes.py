"""Reading webhook landings: each line parsed by itself, so that a broken one concerns nobody else.

msgspec takes from a line the fields that a door reads and passes over the rest. Polars' NDJSON reader makes something
of all of it, which costs more (docs/performance.md), and one broken line ends its whole scan.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from justai_assets.landing.event_id import event_id
from justai_assets.landing.lines import UnreadableError, lines

REJECTED_SCHEMA = pl.Schema(
    {"reason": pl.String, "source_file": pl.String, "source_row": pl.Int64, "record_id": pl.String, "records": pl.Int64}
)
"""Refused records and files, as the readers of the landing zone return them."""

LINE_NUMBER: Final = "_line"
"""Column of the line an envelope stood on: from 0, blank lines not counted."""

MAX_WHOLE: Final = 1e40
MAX_DIGITS: Final = 80
"""A number beyond these is no id, and stays as it is written."""

PIECE_LINES: Final = 1_024
"""Lines that become columns at once: the objects of so many stay in the processor's cache."""

BATCH_LINES: Final = 32_768
BATCH_BYTES: Final = 32 << 20

_ENVELOPE: Final = {
    "id": pl.String(),
    "received_at": pl.String(),
    "query": pl.Struct({"campaignId": pl.String(), "tracking_id": pl.String()}),
    # The mark is a boolean; as a text, no other value of it can break the line.
    "authenticated": pl.String(),
}
_DIGEST = re.compile(r"[0-9a-f]{32,64}")
_NOT_A_LINE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True)
class Batch:
    """Some of the records of a day.

    Attributes:
        received: lines that are not blank; a part of a file that cannot be unpacked counts as one.
        envelopes: the sound ones: id (never null), received_at, query, authenticated, body, source_file, `_line`, and
            `line` where asked for.
        rejected: the others (REJECTED_SCHEMA).
    """

    received: int
    envelopes: pl.DataFrame
    rejected: pl.DataFrame


def read_envelopes(
    files: Iterable[tuple[Path, str]], door: str, body: pl.Struct, *, with_line: bool = False
) -> Iterator[Batch]:
    """The records of files in order, a bounded number at a time; received is the sum of the two frames' records.

    Args:
        files: each with its landing key, which becomes source_file.
        door: the door, which says how an envelope that its writer left without an id gets one.
        body: the fields of the body that are needed, all text at the leaves. Numbers come as their JSON digits, never
            through a float, and whole ones as whole (`digits`); objects and lists as JSON.
        with_line: also give the line itself, as `line`, for fields whose names are not known beforehand.

    A line's fate depends on that line alone. Nothing is raised for a bad line or a damaged file.
    """
    reader = _Reader(door, body, with_line)
    held = _Held()
    for path, key in files:
        row = 0
        try:
            for some in lines(path):
                for at in range(0, len(some), PIECE_LINES):
                    piece = some[at : at + PIECE_LINES]
                    held.add(piece, *reader.parsed(key, row, piece))
                    row += len(piece)
                    if held.is_full:
                        yield held.batch(reader)
                        held = _Held()
        except UnreadableError:
            held.received += 1
            held.rejected.append(_rejection("unreadable_file", None, key, None))
    if held.received:
        yield held.batch(reader)


@dataclass
class _Held:
    """Pieces parsed and not handed over yet; `size` in bytes of their lines."""

    received: int = 0
    size: int = 0
    frames: list[pl.DataFrame] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)

    def add(self, piece: list[bytes], frame: pl.DataFrame, rejected: list[dict[str, Any]]) -> None:
        self.received += len(piece)
        self.size += sum(map(len, piece))
        self.frames.append(frame)
        self.rejected += rejected

    @property
    def is_full(self) -> bool:
        return self.received >= BATCH_LINES or self.size >= BATCH_BYTES

    def batch(self, reader: _Reader) -> Batch:
        frame = pl.concat(self.frames, rechunk=True) if self.frames else reader.frame("", [], [], [])
        return Batch(self.received, frame, pl.DataFrame(self.rejected, schema=REJECTED_SCHEMA))


class _Reader:
    def __init__(self, door: str, body: pl.Struct, with_line: bool) -> None:
        self._door = door
        self._schema = pl.Struct({**_ENVELOPE, "body": body})
        self._with_line = with_line
        self._decode = msgspec.json.Decoder(_struct(self._schema), float_hook=digits).decode

    def frame(self, key: str, found: Sequence[Any], rows: Sequence[int], some: Sequence[bytes]) -> pl.DataFrame:
        """Envelopes of one file as rows."""
        columns = _columns(found, self._schema)
        columns.append(pl.Series("source_file", [key], dtype=pl.String).new_from_index(0, len(rows)))
        columns.append(pl.Series(LINE_NUMBER, rows, dtype=pl.Int64))
        if self._with_line:
            columns.append(pl.Series("line", [line.decode() for line in some], dtype=pl.String))
        return pl.DataFrame(columns)

    def parsed(self, key: str, first: int, some: list[bytes]) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
        """Lines of one file, the first of them with its number: the sound ones, and rejections of the others."""
        rejected: list[dict[str, Any]] = []
        try:
            if not all(map(bytes.isascii, some)):
                b"\n".join(some).decode()
            found: list[Any] = list(map(self._decode, some))
            rows: Sequence[int] = range(first, first + len(some))
        except _NOT_A_LINE:
            found, rows, some = self._one_by_one(key, first, some, rejected)
        # A blank id is no id: left as it is, all events without one would be the same event.
        if not all(type(one.id) is str and one.id and not one.id.isspace() for one in found):
            found, rows, some = self._with_ids(key, found, rows, some, rejected)
        return self.frame(key, found, rows, some), rejected

    def _one_by_one(
        self, key: str, first: int, some: Sequence[bytes], rejected: list[dict[str, Any]]
    ) -> tuple[list[Any], list[int], list[bytes]]:
        envelopes, rows, kept = [], [], []
        for row, line in enumerate(some, first):
            try:
                line.decode()
                envelopes.append(self._decode(line))
            except _NOT_A_LINE:
                rejected.append(_rejection(*_why(line), key, row))
            else:
                rows.append(row)
                kept.append(line)
        return envelopes, rows, kept

    def _with_ids(
        self, key: str, found: list[Any], rows: Sequence[int], some: list[bytes], rejected: list[dict[str, Any]]
    ) -> tuple[list[Any], list[int], list[bytes]]:
        """Envelopes whose writer left the id out, or blank, get the one that their body has."""
        envelopes, numbers, kept = [], [], []
        for one, row, line in zip(found, rows, some, strict=True):
            if one.id is None or (isinstance(one.id, str) and not one.id.strip()):
                one.id = None if one.body is None else _id_of(line, self._door)
            if one.id is None:
                rejected.append(_rejection(*_why(line), key, row))
            else:
                envelopes.append(one)
                numbers.append(row)
                kept.append(line)
        return envelopes, numbers, kept


def _struct(schema: pl.Struct) -> type[msgspec.Struct]:
    """A msgspec type that takes the fields of a schema and passes over all others."""
    fields: list[tuple[str, Any, Any]] = [
        (one.name, _struct(one.dtype) | None if isinstance(one.dtype, pl.Struct) else Any, None)
        for one in schema.fields
    ]
    return msgspec.defstruct("Fields", fields, gc=False, eq=False)


def _columns(found: Sequence[Any], dtype: pl.Struct) -> list[pl.Series]:
    """The fields of some structs as columns, of text at the leaves; those of an absent struct are null."""
    columns = []
    is_any_absent = None in found
    for one in dtype.fields:
        get = attrgetter(one.name)
        values = [None if each is None else get(each) for each in found] if is_any_absent else list(map(get, found))
        if isinstance(one.dtype, pl.Struct):
            made = pl.DataFrame(_columns(values, one.dtype)).to_struct(one.name)
            if None in values:
                absent = pl.Series([each is None for each in values])
                made = pl.select(pl.when(~absent).then(made).alias(one.name)).to_series()
            columns.append(made)
        else:
            columns.append(_text(values).alias(one.name))
    return columns


def _text(values: Sequence[Any]) -> pl.Series:
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return _nothing(len(values))
    if kinds == {str}:
        return pl.Series(values, dtype=pl.String)
    if kinds == {int}:
        with suppress(TypeError, OverflowError):  # beyond 64 bits
            return pl.Series(values, dtype=pl.Int64).cast(pl.String)
    return pl.Series([one if one is None or type(one) is str else _written(one) for one in values], dtype=pl.String)


@lru_cache(4)
def _nothing(size: int) -> pl.Series:
    return pl.Series([None], dtype=pl.String).new_from_index(0, size)


def _written(value: Any) -> str:
    """A JSON value as text: a number by its digits, anything else as JSON."""
    return str(value) if type(value) is int else msgspec.json.encode(value).decode()


def digits(number: str) -> str:
    """A JSON number with a point or an exponent as text: `501.0` and `5.01e2` are the id 501, `1.50` stays."""
    size = abs(float(number))
    if math.isinf(size):
        raise ValueError("a number beyond any")
    if size >= MAX_WHOLE or size < 1 or len(number) > MAX_DIGITS:
        # Something other than a whole zero may be too small for a float.
        return "0" if size == 0 and not number.lower().partition("e")[0].strip("-0.") else number
    exact = Decimal(number)
    whole = int(exact)
    return str(whole) if whole == exact else number


def _id_of(line: bytes, door: str) -> str | None:
    """The id that an envelope's writer left out.

    None when the body has no canonical form: it is nested too deeply, or holds lone surrogates.
    """
    try:
        envelope = json.loads(line)
        return event_id(door, envelope["body"], str(envelope.get("received_at") or ""))
    except (ValueError, RecursionError):
        return None


def _why(line: bytes) -> tuple[str, str | None]:
    """The reason code of a line that is no envelope, and its id where it has one."""
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


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are not JSON


def _rejection(reason: str, record_id: str | None, key: str, row: int | None) -> dict[str, Any]:
    return {"reason": reason, "source_file": key, "source_row": row, "record_id": record_id, "records": 1}
