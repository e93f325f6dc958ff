"""Lines of a landing file: unpacked, bounded, and every one of them accounted for."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import zstandard

from justai_assets.contract.errors import JustAIError

MAX_LINE_BYTES: Final = 32 << 20
"""A longer line is cut, and then is no JSON."""

BOM: Final = b"\xef\xbb\xbf"
"""What editors and exports put before UTF-8; files set one behind the other have it in the middle too."""

_CHUNK: Final = 1 << 18
_UNPACKERS: Final[dict[bytes, Callable[[], Any]]] = {
    b"\x28\xb5\x2f\xfd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    b"\x1f\x8b": lambda: zlib.decompressobj(wbits=31),
}
"""First bytes of a packed file → what unpacks one of its frames. The name of a file says nothing."""


class UnreadableError(JustAIError):
    """A landing file whose compression is damaged: what comes after the damage is lost to us, and counted as one."""

    code = "unreadable_file"


def lines(file: Path) -> Iterator[list[bytes]]:
    """The lines that are not blank, some at a time, in order. Blank is ASCII white space alone.

    A byte order mark at the start of a line is not part of it.
    zstd and gzip are unpacked, several frames in a row too; anything else is read as it stands.

    Raises:
        UnreadableError: a frame is damaged or cut short; the whole lines before the damage have come already.
    """
    begun: list[bytes] = []
    size = 0
    may_hold_mark = False
    for chunk in _content(file):
        may_hold_mark = may_hold_mark or BOM[:1] in chunk
        first, *rest = chunk.split(b"\n")
        if size < MAX_LINE_BYTES:
            begun.append(first)
            size += len(first)
        if rest:
            whole = [b"".join(begun)[:MAX_LINE_BYTES], *rest[:-1]]
            begun, size = [rest[-1]], len(rest[-1])
            if may_hold_mark:
                whole = [line.removeprefix(BOM) for line in whole]
            yield [line for line in whole if line and not line.isspace()]
    last = b"".join(begun)[:MAX_LINE_BYTES].removeprefix(BOM)
    if last and not last.isspace():
        yield [last]


def _content(file: Path) -> Iterator[bytes]:
    with file.open("rb") as raw:
        head = raw.read(4)
        raw.seek(0)
        unpacker = next((made for magic, made in _UNPACKERS.items() if head.startswith(magic)), None)
        frame = None
        while chunk := raw.read(_CHUNK):
            if unpacker is None:
                yield chunk
                continue
            while chunk:
                frame = frame or unpacker()
                try:
                    piece = frame.decompress(chunk)
                except (zstandard.ZstdError, zlib.error):
                    raise UnreadableError(f"{file.name}: the compressed stream is damaged") from None
                yield piece
                chunk = frame.unused_data if frame.eof else b""
                frame = None if frame.eof else frame
        if frame is not None:
            raise UnreadableError(f"{file.name}: the compressed stream is cut short")
