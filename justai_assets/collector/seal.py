"""One journal segment → landing objects, the same ones however often it is repeated.

A segment's lines are grouped by door, org and day; each group becomes one object whose name is a hash of the segment's
own name and of the lines. A crash between upload and delete therefore writes the same objects again, not new ones.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path

import zstandard

from justai_assets.collector.folders import sync_folder
from justai_assets.collector.records import Damage, SegmentFile, place_of, scan
from justai_assets.landing.paths import day_prefix
from justai_assets.storage import Root

COMPRESSION_LEVEL = 3
SUFFIX = ".jsonl.zst"
UPLOADS = 8
"""At a time: with hundreds of orgs a segment is hundreds of objects, and each waits for the network."""


@dataclass(frozen=True)
class Sealed:
    """What sealing a segment wrote.

    Attributes:
        objects: landing objects.
        lines: envelopes in them.
        bytes: compressed bytes of them.
        torn_bytes: an unfinished write at the end of a dead worker's segment; never acknowledged.
        damaged_bytes: bytes elsewhere that are no record: acknowledged events may have been there.
    """

    objects: int = 0
    lines: int = 0
    bytes: int = 0
    torn_bytes: int = 0
    damaged_bytes: int = 0


def seal_segment(path: Path, landing: Root) -> Sealed:
    """Write the landing objects of a closed segment; the segment itself stays.

    Raises:
        StorageError: the landing zone refused an object; those before it are written.
    """
    with SegmentFile(path) as segment:
        index, torn, damaged = _index(segment.content)
        name = index.pop(b"", None) or f"{path.parent.name}/{path.stem}".encode()
        assert isinstance(name, bytes)
        objects = lines = size = 0

        def land(group: tuple[bytes, array[int] | bytes]) -> tuple[int, int]:
            tag, spans = group
            assert isinstance(spans, array)
            key, content = _object(name, tag, segment.content, spans)
            write_durably(landing, key, content)
            return len(spans) // 2, len(content)

        # Small groups first: an org with few events does not wait for the upload of one with many.
        groups = sorted(index.items(), key=lambda item: (len(item[1]), item[0]))
        with ThreadPoolExecutor(UPLOADS) as pool:
            for written_lines, written_bytes in pool.map(land, groups):
                objects += 1
                lines += written_lines
                size += written_bytes
    return Sealed(objects, lines, size, torn, damaged)


def _index(content: mmap | bytes) -> tuple[dict[bytes, array[int] | bytes], int, int]:
    """Where each group's lines lie; under the empty tag, the segment's own name."""
    index: dict[bytes, array[int] | bytes] = {}
    torn = damaged = 0
    complete = False
    for found in scan(content):
        if isinstance(found, Damage):
            if found.tail:
                torn = found.end - found.start
            else:
                damaged += found.end - found.start
        elif found.tag == b"end":
            complete = True
        elif found.tag.startswith(b"segment/"):
            index[b""] = found.tag.removeprefix(b"segment/")
        else:
            spans = index.setdefault(found.tag, array("Q"))
            assert isinstance(spans, array)
            spans.extend((found.start, found.end))
    # Behind the last record of a segment that was closed in order, nothing can be an unfinished write.
    return (index, 0, damaged + torn) if complete else (index, torn, damaged)


def _object(name: bytes, tag: bytes, content: mmap | bytes, spans: array[int]) -> tuple[str, bytes]:
    digest = hashlib.sha256(name + b"\0" + tag + b"\0")
    compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True).compressobj()
    parts: list[bytes] = []
    for at in range(0, len(spans), 2):
        line = content[spans[at] : spans[at + 1]]
        digest.update(line)
        parts.append(compressor.compress(line))
    parts.append(compressor.flush())
    door, slug, day = place_of(tag)
    return f"{day_prefix(door, slug, day)}/{digest.hexdigest()[:32]}{SUFFIX}", b"".join(parts)


def write_durably(landing: Root, key: str, content: bytes) -> None:
    """Write an object so that it survives a power cut; S3 promises that by itself."""
    landing.write(key, content)
    if not landing.is_local:
        return
    path = landing.local(key)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    for folder in path.parents:
        sync_folder(folder)
        if folder == landing.local():
            break
