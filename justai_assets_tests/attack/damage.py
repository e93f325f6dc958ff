"""Sound Parquet and webhook files of many forms, and ways to damage them."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

AT = datetime(2026, 1, 5, tzinfo=UTC)
ROWS = 300
CODECS = ("none", "snappy", "gzip", "zstd", "lz4", "brotli")
READ = ("event_timestamp", "event_name", "user_id_or_email")


def events() -> pa.Table:
    """A drop of custom events, with columns beyond the contract."""
    return pa.table(
        {
            "event_timestamp": pa.array([AT + timedelta(seconds=number) for number in range(ROWS)]),
            "event_name": pa.array([("purchase", "signup", None)[number % 3] for number in range(ROWS)]),
            "user_id_or_email": pa.array([f"user-{number * 7919 % 9973}" for number in range(ROWS)]),
            "amount": pa.array([number * 1.25 for number in range(ROWS)]),
            "tags": pa.array([["a", "b"] if number % 5 else None for number in range(ROWS)]),
        }
    )


def parquet_files() -> list[bytes]:
    """Sound files of every codec, by several writers, encodings and page versions."""
    table = events()
    plain = dict.fromkeys(READ, "PLAIN")
    delta = dict(zip(READ, ("DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"), strict=True))
    forms: tuple[dict[str, Any], ...] = (
        {},
        {"data_page_version": "2.0"},
        {"use_dictionary": False, "column_encoding": plain},
        {"use_dictionary": False, "column_encoding": delta},
        {"use_dictionary": False, "column_encoding": {**plain, "event_timestamp": "BYTE_STREAM_SPLIT"}},
        {"use_deprecated_int96_timestamps": True},
        {"row_group_size": 50, "data_page_size": 512},
        {"write_page_index": True, "write_page_checksum": True},
    )
    found = [_by_arrow(table, compression=codec, **form) for codec in CODECS for form in forms]
    for kind in (pa.int64(), pa.float64(), pa.decimal128(21, 0), pa.large_string()):
        ids = pa.array(range(ROWS), pa.int64()).cast(kind)
        found.append(_by_arrow(table.select(READ).set_column(2, "user_id_or_email", ids)))
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        connection.register("events", table)
        for version in ("V1", "V2"):
            path = Path(folder) / f"{version}.parquet"
            connection.execute(f"COPY events TO '{path}' (FORMAT parquet, PARQUET_VERSION {version})")
            found.append(path.read_bytes())
    return found


def _by_arrow(table: pa.Table, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def webhook_file(luck: random.Random, number: int) -> tuple[str, bytes]:
    """A sound file of envelopes that no other file has: its suffix and its content."""
    lines = []
    for line in range(luck.randrange(1, 30)):
        fields = {"createdAt": f"2026-01-05 10:00:{line:02d} +00:00", "messageId": f"{number:026x}{line:06x}"}
        fields |= {"templateId": 501, "campaignId": 9001}
        body = {"email": f"user{line}@example.com", "eventName": "emailSend", "dataFields": fields}
        envelope = {"id": f"{number:026x}{line:06x}", "received_at": "2026-01-05T12:00:00Z", "query": {}, "body": body}
        lines.append(json.dumps(envelope) + "\n")
    content = "".join(lines).encode()
    suffix = luck.choice((".jsonl", ".jsonl.gz", ".jsonl.zst"))
    if suffix == ".jsonl.gz":
        content = gzip.compress(content, mtime=0)
    elif suffix == ".jsonl.zst":
        content = zstandard.compress(content)
    return suffix, content


Damage = Callable[[bytearray, random.Random, bytes], bytes]


def _flips(content: bytearray, luck: random.Random, _: bytes) -> bytes:
    for _flip in range(luck.choice((1, 1, 2, 8, 64))):
        content[luck.randrange(len(content))] ^= 1 << luck.randrange(8)
    return bytes(content)


def _bytes(content: bytearray, luck: random.Random, _: bytes) -> bytes:
    at = luck.randrange(len(content))
    length = min(luck.choice((1, 4, 8, 64, 512)), len(content) - at)
    content[at : at + length] = luck.choice((bytes(length), b"\xff" * length, luck.randbytes(length)))
    return bytes(content)


def _cut(content: bytearray, luck: random.Random, _: bytes) -> bytes:
    return bytes(content[: luck.randrange(1, len(content))])


def _spliced(content: bytearray, luck: random.Random, other: bytes) -> bytes:
    """A stretch of another file, in place of as long a one or in between."""
    at, start = luck.randrange(len(content)), luck.randrange(len(other))
    stretch = other[start : start + luck.randrange(1, 2048)]
    end = at + (len(stretch) if luck.random() < 0.5 else 0)
    return bytes(content[:at]) + stretch + bytes(content[end:])


def _header(content: bytearray, luck: random.Random, _: bytes) -> bytes:
    """The varints near the begin of a page: lengths, counts, encodings."""
    at = luck.choice((4, luck.randrange(len(content))))
    for place in range(at, min(at + luck.randrange(1, 24), len(content))):
        if luck.random() < 0.3:
            content[place] = luck.choice((0x00, 0x7F, 0x80, 0xFE, 0xFF))
    return bytes(content)


def _tail(content: bytearray, luck: random.Random, _: bytes) -> bytes:
    """The length of the footer, or the footer itself."""
    if luck.random() < 0.3:
        content[-8:-4] = luck.choice((luck.randbytes(4), b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", bytes(4)))
    else:
        length = min(int.from_bytes(content[-8:-4], "little"), len(content) - 8)
        for _byte in range(luck.choice((1, 1, 2, 4))):
            content[len(content) - 8 - luck.randrange(1, max(length, 2))] = luck.randrange(256)
    return bytes(content)


DAMAGES: dict[str, Damage] = {
    "flipped bits": _flips, "other bytes": _bytes, "cut": _cut, "spliced": _spliced, "page headers": _header,
    "footer": _tail,
}  # fmt: skip
