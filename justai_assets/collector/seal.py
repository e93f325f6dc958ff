"""One journal segment → landing objects, the same ones however often it is repeated.

A segment's lines are grouped by door, org and day; each group becomes one object whose name is a hash of the segment's
own name and of the lines. A crash between upload and delete therefore writes the same objects again, not new ones.

The groups stand alone: one org's prefix that the landing zone refuses keeps no other org's group from landing. What is
left of a segment then takes the segment's place under the same name, so that a group is written once, and one org's
trouble holds on to that org's lines only.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path

import zstandard

from justai_assets.collector.folders import REST, sync_folder
from justai_assets.collector.records import Damage, SegmentFile, pack, place_of, scan
from justai_assets.contract.errors import JustAIError
from justai_assets.landing.paths import day_prefix
from justai_assets.storage import Root

COMPRESSION_LEVEL = 3
SUFFIX = ".jsonl.zst"
UPLOADS = 8
"""At a time: with hundreds of orgs a segment is hundreds of objects, and each waits for the network."""

Tag = bytes


@dataclass(frozen=True)
class Refused:
    """A group that the landing zone did not take.

    Attributes:
        source: `door/org`.
        error: a stable code.
        what: the error in words; names the key, never what a sender wrote.
        transient: whether it may pass by itself.
    """

    source: str
    error: str
    what: str
    transient: bool


@dataclass(frozen=True)
class Sealed:
    """What sealing a segment wrote, and what it did not.

    Attributes:
        objects: landing objects.
        lines: envelopes in them.
        bytes: compressed bytes of them.
        torn_bytes: an unfinished write at the end of a dead worker's segment; never acknowledged.
        damaged_bytes: bytes elsewhere that are no record: acknowledged events may have been there.
        left: tags of the groups that are not in the landing zone: refused, or not tried.
        refused: one for each source that was tried in vain.
    """

    objects: int = 0
    lines: int = 0
    bytes: int = 0
    torn_bytes: int = 0
    damaged_bytes: int = 0
    left: frozenset[Tag] = frozenset()
    refused: tuple[Refused, ...] = ()


def source_of(tag: bytes) -> str:
    """`door/org` of a tag."""
    return tag.rpartition(b"/")[0].decode(errors="replace")


def seal_segment(path: Path, landing: Root, *, avoid: Set[str] = frozenset(), only: Set[bytes] | None = None) -> Sealed:
    """Write the landing objects of a closed segment; the segment itself stays.

    A group that fails harms no other. Once one of a source failed, its other groups are not tried; once UPLOADS groups
    failed by something that may pass and none was written, the landing zone counts as away and the rest is not tried.

    Args:
        path: the segment.
        landing: the landing root.
        avoid: sources that are not tried now.
        only: tags that are still to be landed; None for all.
    """
    with SegmentFile(path) as segment:
        index = _Index(segment.content, path)
        wanted = {tag: spans for tag, spans in index.groups.items() if only is None or tag in only}
        attempt = _Attempt(index.name, segment.content, landing, set(avoid))
        # Small groups first: an org with few events does not wait for the upload of one with many.
        ordered = sorted(wanted.items(), key=lambda item: (len(item[1]), item[0]))
        with ThreadPoolExecutor(UPLOADS) as pool:
            written = list(pool.map(attempt.land, *zip(*ordered, strict=True))) if ordered else []
    sizes = [size for size in written if size is not None]
    return Sealed(
        objects=len(sizes),
        lines=sum(len(spans) // 2 for (_, spans), size in zip(ordered, written, strict=True) if size is not None),
        bytes=sum(sizes),
        torn_bytes=index.torn,
        damaged_bytes=index.damaged,
        left=frozenset(tag for (tag, _), size in zip(ordered, written, strict=True) if size is None),
        refused=tuple(attempt.refused[source] for source in sorted(attempt.refused)),
    )


def shorten(path: Path, left: Set[bytes]) -> None:
    """Replace a segment by one of the same name that holds the groups in `left` only.

    Killed in between, it is the one or the other. Groups keep the names of their objects.
    """
    rest = path.with_suffix(REST)
    try:
        with SegmentFile(path) as segment, rest.open("wb") as out:
            index = _Index(segment.content, path)
            out.write(pack(b"segment/" + index.name, b""))
            for tag in sorted(left):
                spans = index.groups[tag]
                for at in range(0, len(spans), 2):
                    out.write(pack(tag, segment.content[spans[at] : spans[at + 1]]))
            out.write(pack(b"end", b""))
            out.flush()
            os.fsync(out.fileno())
        rest.replace(path)
    finally:
        rest.unlink(missing_ok=True)
    sync_folder(path.parent)


class _Attempt:
    """One try to land a segment's groups; several threads land at a time."""

    def __init__(self, name: bytes, content: mmap | bytes, landing: Root, avoid: set[str]) -> None:
        self._name = name
        self._content = content
        self._landing = landing
        self._avoid = avoid
        self._written = 0
        self.refused: dict[str, Refused] = {}

    def land(self, tag: bytes, spans: array[int]) -> int | None:
        """Compressed bytes of the group's object, or None when it is not in the landing zone."""
        source = source_of(tag)
        passing = sum(one.transient for one in list(self.refused.values()))
        if source in self._avoid or (not self._written and passing >= UPLOADS):
            return None
        try:
            key, content = _object(self._name, tag, self._content, spans)
            write_durably(self._landing, key, content)
        except (JustAIError, OSError, ValueError, LookupError) as error:
            self._avoid.add(source)
            self.refused[source] = (
                Refused(source, error.code, str(error), transient=error.transient)
                if isinstance(error, JustAIError)
                else Refused(source, type(error).__name__, "", transient=False)
            )
            return None
        self._written += 1
        return len(content)


class _Index:
    """Where each group's lines lie in a segment.

    Attributes:
        name: the segment's own, wherever its file was moved.
        groups: tag → start and end of each line, in turn.
        torn: bytes of an unfinished write.
        damaged: bytes that are no record elsewhere.
    """

    def __init__(self, content: mmap | bytes, path: Path) -> None:
        self.name = f"{path.parent.name}/{path.stem}".encode()
        self.groups: dict[bytes, array[int]] = {}
        self.torn = self.damaged = 0
        complete = False
        for found in scan(content):
            if isinstance(found, Damage):
                if found.tail:
                    self.torn = found.end - found.start
                else:
                    self.damaged += found.end - found.start
            elif found.tag == b"end":
                complete = True
            elif found.tag.startswith(b"segment/"):
                self.name = found.tag.removeprefix(b"segment/")
            else:
                self.groups.setdefault(found.tag, array("Q")).extend((found.start, found.end))
        if complete:
            # Behind the last record of a segment that was closed in order, nothing can be an unfinished write.
            self.torn, self.damaged = 0, self.damaged + self.torn


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
