"""Reading webhook landings: each line parsed by itself, so that a broken one concerns nobody else.

msgspec takes from a line the fields that a door reads and passes over the rest. Polars' NDJSON reader makes something
of all of it, which costs more (docs/performance.md), and one broken line ends its whole scan.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl
from polars.datatypes import DataTypeClass

from justai_assets.landing.identity import event_id
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
                for at in range(0, len(some), BATCH_LINES):
                    piece = some[at : at + BATCH_LINES]
                    held.add(key, row, piece)
                    row += len(piece)
                    if held.is_full:
                        yield reader.batch(held)
                        held = _Held()
        except UnreadableError:
            held.damaged.append(key)
    if held.pieces or held.damaged:
        yield reader.batch(held)


@dataclass
class _Held:
    """Lines read and not parsed yet: (key, number of the first, lines), and keys of files that broke off."""

    pieces: list[tuple[str, int, list[bytes]]] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    count: int = 0
    size: int = 0

    def add(self, key: str, row: int, piece: list[bytes]) -> None:
        if piece:
            self.pieces.append((key, row, piece))
            self.count += len(piece)
            self.size += sum(map(len, piece))

    @property
    def is_full(self) -> bool:
        return self.count >= BATCH_LINES or self.size >= BATCH_BYTES


class _Reader:
    def __init__(self, door: str, body: pl.Struct, with_line: bool) -> None:
        self._door = door
        self._schema = pl.Struct({**_ENVELOPE, "body": body})
        self._with_line = with_line
        self._decode = msgspec.json.Decoder(_struct(self._schema), float_hook=digits).decode

    def batch(self, held: _Held) -> Batch:
        found: list[Any] = []
        kept: list[tuple[str, list[int], list[bytes]]] = []
        rejected = [_rejection("unreadable_file", key, None, None) for key in held.damaged]
        for key, first, some in held.pieces:
            try:
                if not all(map(bytes.isascii, some)):
                    b"\n".join(some).decode()
                envelopes = list(map(self._decode, some))
                whole = (key, list(range(first, first + len(some))), some)
            except _NOT_A_LINE:
                envelopes, whole = self._one_by_one(key, first, some, rejected)
            found += envelopes
            kept.append(whole)
        self._give_ids(found, kept, rejected)
        frame = _series("", found, self._schema).struct.unnest()
        keys = [pl.Series([key], dtype=pl.String).new_from_index(0, len(rows)) for key, rows, _ in kept]
        columns = [
            (pl.concat(keys) if keys else pl.Series([], dtype=pl.String)).alias("source_file"),
            pl.Series(LINE_NUMBER, [row for _, rows, _ in kept for row in rows], dtype=pl.Int64),
        ]
        if self._with_line:
            columns.append(pl.Series("line", [line.decode() for _, _, some in kept for line in some], dtype=pl.String))
        return Batch(
            held.count + len(held.damaged), frame.with_columns(columns), pl.DataFrame(rejected, schema=REJECTED_SCHEMA)
        )

    def _one_by_one(
        self, key: str, first: int, some: Sequence[bytes], rejected: list[dict[str, Any]]
    ) -> tuple[list[Any], tuple[str, list[int], list[bytes]]]:
        envelopes, rows, kept = [], [], []
        for row, line in enumerate(some, first):
            try:
                line.decode()
                envelopes.append(self._decode(line))
            except _NOT_A_LINE:
                reason, record_id = _why(line)
                rejected.append(_rejection(reason, key, row, record_id))
            else:
                rows.append(row)
                kept.append(line)
        return envelopes, (key, rows, kept)

    def _give_ids(
        self, found: list[Any], kept: list[tuple[str, list[int], list[bytes]]], rejected: list[dict[str, Any]]
    ) -> None:
        """Envelopes whose writer left the id out, or blank, get the one that their body has."""
        # A blank id is no id: left as it is, all events without one would be the same event.
        if all(type(one.id) is str and one.id and not one.id.isspace() for one in found):
            return
        at = 0
        for number, (key, rows, some) in enumerate(kept):
            sound = []
            for index, line in enumerate(some):
                one = found[at]
                if one.id is None or (isinstance(one.id, str) and not one.id.strip()):
                    one.id = None if one.body is None else _id_of(line, self._door)
                if one.id is None:
                    reason, record_id = _why(line)
                    rejected.append(_rejection(reason, key, rows[index], record_id))
                    del found[at]
                else:
                    sound.append(index)
                    at += 1
            kept[number] = (key, [rows[index] for index in sound], [some[index] for index in sound])


def _struct(schema: pl.Struct) -> type[msgspec.Struct]:
    """A msgspec type that takes the fields of a schema and passes over all others."""
    fields: list[tuple[str, Any, Any]] = [
        (one.name, _struct(one.dtype) | None if isinstance(one.dtype, pl.Struct) else Any, None)
        for one in schema.fields
    ]
    return msgspec.defstruct("Fields", fields, gc=False)


def _series(name: str, found: Sequence[Any], dtype: pl.DataType | DataTypeClass) -> pl.Series:
    """Values of one field as a column, of text at the leaves."""
    if not isinstance(dtype, pl.Struct):
        return _text(name, found)
    absent = [one is None for one in found]
    is_any_absent = any(absent)
    columns = []
    for one in dtype.fields:
        get = attrgetter(one.name)
        values = [None if each is None else get(each) for each in found] if is_any_absent else list(map(get, found))
        columns.append(_series(one.name, values, one.dtype))
    made = pl.DataFrame(columns).to_struct(name)
    if is_any_absent:
        made = pl.select(pl.when(~pl.Series(absent)).then(made).alias(name)).to_series()
    return made


def _text(name: str, values: Sequence[Any]) -> pl.Series:
    if values.count(None) == len(values):
        return pl.Series(name, [None], dtype=pl.String).new_from_index(0, len(values))
    try:
        return pl.Series(name, values, dtype=pl.String)
    except (TypeError, OverflowError):
        return pl.Series(name, [one if one is None or type(one) is str else _written(one) for one in values])


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


def _rejection(reason: str, key: str, row: int | None, record_id: str | None) -> dict[str, Any]:
    return {"reason": reason, "source_file": key, "source_row": row, "record_id": record_id, "records": 1}
