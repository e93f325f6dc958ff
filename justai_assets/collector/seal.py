"""One journal segment → landing objects, the same ones however often it is repeated.

A segment's lines are grouped by door, org and day; each group becomes one object whose name is a hash of the segment's
own name and of the lines. A crash between upload and delete therefore writes the same objects again, not new ones.

The groups stand alone: a day that the landing zone refuses keeps no other day and no other org's group from landing,
and an org whose uploads hang holds on to one upload at a time. What is left of a segment then takes the segment's place
under the same name, so that a group is written once, and one org's trouble holds on to that org's lines only.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from array import array
from collections.abc import Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import zstandard

from justai_assets.collector.folders import ADOPTED, REST, sync_folder
from justai_assets.collector.records import Damage, SegmentFile, pack, place_of, scan
from justai_assets.contract.errors import JustAIError, TransientStorageError
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
        tag: the group.
        error: a stable code.
        what: the error in words; names the key, never what a sender wrote.
        transient: whether it may pass by itself.
    """

    tag: Tag
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
        torn_bytes: bytes at the end of a dead worker's segment that are no record: an unfinished write, as a rule.
        damaged_bytes: bytes elsewhere that are no record or cannot be read: acknowledged events may have been there.
        lost_records: records that are missing by their numbers, or by the end that its worker wrote.
        is_cut: a segment that its worker closed has no end record: what was behind its last record is gone.
        left: tags of the groups that are not in the landing zone: refused, or not tried.
        refused: one for each group that was tried in vain.
    """

    objects: int = 0
    lines: int = 0
    bytes: int = 0
    torn_bytes: int = 0
    damaged_bytes: int = 0
    lost_records: int = 0
    is_cut: bool = False
    left: frozenset[Tag] = frozenset()
    refused: tuple[Refused, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether every byte of the segment is accounted for."""
        return not (self.torn_bytes or self.damaged_bytes or self.lost_records or self.is_cut)


def source_of(tag: bytes) -> str:
    """`door/org` of a tag."""
    return tag.rpartition(b"/")[0].decode(errors="replace")


def seal_segment(
    path: Path, landing: Root, *, avoid: Set[Tag | str] = frozenset(), only: Set[Tag] | None = None
) -> Sealed:
    """Write the landing objects of a closed segment; the segment itself stays.

    A group that fails harms no other. A source whose group failed by something that may pass is not tried further; once
    UPLOADS sources failed so and nothing was written, the landing zone counts as away and the rest is not tried.

    Args:
        path: the segment.
        landing: the landing root.
        avoid: groups, by tag, and sources, by name, that are not tried now.
        only: tags that are still to be landed; None for all.
    """
    segment = SegmentFile.read(path)
    index = _Index(segment, path)
    wanted = {tag: spans for tag, spans in index.groups.items() if only is None or tag in only}
    attempt = _Attempt(index.name, segment.content, landing, avoid)
    # One source at a time in each thread, or one whose uploads hang would hold them all. Small ones first: an org with
    # few events does not wait for the uploads of one with many.
    sources: dict[str, list[tuple[Tag, array[int]]]] = {}
    for tag, spans in sorted(wanted.items(), key=lambda item: (len(item[1]), item[0])):
        sources.setdefault(source_of(tag), []).append((tag, spans))
    ordered = sorted(sources.values(), key=lambda groups: sum(len(spans) for _, spans in groups))
    with ThreadPoolExecutor(UPLOADS) as pool:
        written = {tag: size for some in pool.map(attempt.land, ordered) for tag, size in some.items()}
    return Sealed(
        objects=len(written),
        lines=sum(len(wanted[tag]) // 2 for tag in written),
        bytes=sum(written.values()),
        torn_bytes=index.torn,
        damaged_bytes=index.damaged,
        lost_records=index.lost,
        is_cut=index.is_cut,
        left=frozenset(wanted.keys() - written.keys()),
        refused=tuple(attempt.refused[tag] for tag in sorted(attempt.refused)),
    )


def shorten(path: Path, left: Set[Tag]) -> None:
    """Replace a segment by one of the same name that holds the groups in `left` only.

    Killed in between, it is the one or the other. Groups keep the names of their objects.
    """
    segment = SegmentFile.read(path)
    index = _Index(segment, path)
    # A name of its own: whoever else may be at work here writes another file.
    rest = path.with_name(f"{path.stem}.{secrets.token_hex(4)}{REST}")
    try:
        with rest.open("xb") as out:
            out.write(pack(b"segment/" + index.name, b"", 0))
            number = 1
            for tag in sorted(left):
                spans = index.groups[tag]
                for at in range(0, len(spans), 2):
                    out.write(pack(tag, segment.content[spans[at] : spans[at + 1]], number))
                    number += 1
            out.write(pack(b"end", b"", number))
            out.flush()
            os.fsync(out.fileno())
        rest.replace(path)
    finally:
        rest.unlink(missing_ok=True)
    sync_folder(path.parent)


class _Attempt:
    """One try to land a segment's groups; several threads land at a time, each the groups of one source."""

    def __init__(self, name: bytes, content: bytes, landing: Root, avoid: Set[Tag | str]) -> None:
        self._name = name
        self._content = content
        self._landing = landing
        self._avoid = avoid
        self._has_written = False
        self._away = 0
        self.refused: dict[Tag, Refused] = {}

    def land(self, groups: list[tuple[Tag, array[int]]]) -> dict[Tag, int]:
        """Tag → compressed bytes of the object, for the groups of one source that are in the landing zone."""
        written: dict[Tag, int] = {}
        for tag, spans in groups:
            if tag in self._avoid or source_of(tag) in self._avoid:
                continue
            if not self._has_written and self._away >= UPLOADS:
                break
            refused = None
            try:
                key, content = _object(self._name, tag, self._content, spans)
                write_durably(self._landing, key, content)
            except JustAIError as error:
                refused = Refused(tag, error.code, str(error), transient=error.transient)
            except (OSError, ValueError, LookupError) as error:
                refused = Refused(tag, type(error).__name__, "", transient=False)
            if refused is None:
                written[tag] = len(content)
                self._has_written = True
                continue
            self.refused[tag] = refused
            if refused.transient:
                # The next group of the source would only wait for the same answer.
                self._away += 1
                break
        return written


class _Index:
    """Where each group's lines lie in a segment.

    Attributes:
        name: the segment's own, wherever its file was moved.
        groups: tag → start and end of each line, in turn.
        torn: bytes of an unfinished write.
        damaged: bytes that are no record elsewhere, or that the disk did not give.
        lost: records that are missing by their numbers.
        is_cut: its worker closed it, and its end record is missing.
    """

    def __init__(self, segment: SegmentFile, path: Path) -> None:
        self.name = f"{path.parent.name}/{path.stem}".encode()
        self.groups: dict[Tag, array[int]] = {}
        self.torn = self.lost = 0
        self.damaged = segment.unreadable
        is_complete, expected, is_unnumbered = False, 0, False
        for found in scan(segment.content):
            if isinstance(found, Damage):
                if found.tail:
                    self.torn = found.end - found.start
                else:
                    self.damaged += found.end - found.start
                continue
            if found.number is None:
                is_unnumbered = True
            else:
                self.lost += max(0, found.number - expected)
                expected = found.number + 1
            if found.tag == b"end":
                is_complete = True
            elif found.tag.startswith(b"segment/"):
                self.name = found.tag.removeprefix(b"segment/")
            else:
                self.groups.setdefault(found.tag, array("Q")).extend((found.start, found.end))
        # An earlier version closed the segments of dead workers under the same name, without an end record.
        self.is_cut = not is_complete and path.suffix != ADOPTED and not is_unnumbered
        if is_complete or self.is_cut:
            # Behind the last record of a segment that was closed in order, nothing can be an unfinished write.
            self.torn, self.damaged = 0, self.damaged + self.torn


def _object(name: bytes, tag: Tag, content: bytes, spans: array[int]) -> tuple[str, bytes]:
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
    """Write an object so that it survives a power cut; S3 promises that by itself.

    Raises:
        TransientStorageError: a local landing root is not there. It is not made: where a disk is not mounted, the
            folder would take the events and hide them when the disk comes back.
    """
    if landing.is_local and not landing.local().is_dir():
        raise TransientStorageError(f"there is no folder {landing.local()}", mend="mount the disk it lies on")
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
