"""One journal segment → landing objects, the same ones however often it is repeated.

A segment's lines are grouped by door, org and day; each group becomes one object whose name is a hash of the segment's
own name and of the lines. A crash between upload and delete therefore writes the same objects again, not new ones.

The groups stand alone: a day that the landing zone refuses keeps no other day and no other org's group from landing,
and an upload that hangs is left behind (see `uploads`). What is left of a segment then takes the segment's place
under the same name, so that a group is written once, and one org's trouble holds on to that org's lines only.
"""

from __future__ import annotations

import os
import secrets
from array import array
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from justai_assets.serving.collector_config import CollectorError
from justai_assets.serving.journal.journal_folders import ADOPTED, REST, sync_folder
from justai_assets.serving.journal.record_format import Damage, SegmentFile, is_newer, pack, scan
from justai_assets.serving.journal.uploads import Outcome, Refused, SourceUpload, Tag, Uploads, source_of


class NewerSegmentError(CollectorError):
    """A segment that a later version wrote."""

    code = "newer_segment"


@dataclass(frozen=True)
class Sealed:
    """What sealing a segment wrote, and what it did not.

    Attributes:
        landed: tags of the groups that were written.
        lines: envelopes in them.
        bytes: compressed bytes of them.
        torn_bytes: bytes at the end of a dead worker's segment that are no record: an unfinished write, as a rule.
        damaged_bytes: bytes elsewhere that are no record or cannot be read: acknowledged events may have been there.
        lost_records: records that are missing by their numbers, or by the end that its worker wrote.
        is_cut: a segment that its worker closed has no end record: what was behind its last record is gone.
        left: tags of the groups that are not in the landing zone: refused, not tried, or under way.
        refused: one for each group that was tried in vain.
    """

    landed: frozenset[Tag] = frozenset()
    lines: int = 0
    bytes: int = 0
    torn_bytes: int = 0
    damaged_bytes: int = 0
    lost_records: int = 0
    is_cut: bool = False
    left: frozenset[Tag] = frozenset()
    refused: tuple[Refused, ...] = ()

    @classmethod
    def of(cls, outcome: Outcome, wanted: Set[Tag], **damage: Any) -> Sealed:
        """From what became of the groups that were to be landed, and what the segment lacks."""
        return cls(
            landed=frozenset(outcome.written),
            lines=sum(lines for lines, _ in outcome.written.values()),
            bytes=sum(size for _, size in outcome.written.values()),
            left=frozenset(wanted - outcome.written.keys()),
            refused=tuple(sorted(outcome.refused, key=lambda one: one.tag)),
            **damage,
        )

    @property
    def objects(self) -> int:
        """Landing objects that were written."""
        return len(self.landed)

    @property
    def is_whole(self) -> bool:
        """Whether every byte of the segment is accounted for."""
        return not (self.torn_bytes or self.damaged_bytes or self.lost_records or self.is_cut)


def seal_segment(
    path: Path, uploads: Uploads, *, avoid: Set[Tag | str] = frozenset(), only: Set[Tag] | None = None
) -> Sealed:
    """Write the landing objects of a closed segment; the segment itself stays.

    A group that fails harms no other. A source whose group failed by something that may pass is not tried further, and
    an upload that hangs is left behind: its group is in `left`, and `uploads` says later what became of it.

    Args:
        path: the segment.
        uploads: what writes to the landing zone.
        avoid: groups, by tag, and sources, by name, that are not tried now.
        only: tags that are still to be landed; None for all.
    """
    segment = SegmentFile.read(path)
    index = _Index(segment, path)
    wanted = {tag: spans for tag, spans in index.groups.items() if only is None or tag in only}
    avoid = avoid | uploads.sources
    sources: dict[str, list[tuple[Tag, array[int]]]] = {}
    for tag, spans in sorted(wanted.items(), key=lambda item: (len(item[1]), item[0])):
        if tag not in avoid and source_of(tag) not in avoid:
            sources.setdefault(source_of(tag), []).append((tag, spans))
    outcome = uploads.run(SourceUpload(path, index.name, segment.content, groups) for groups in sources.values())
    return Sealed.of(
        outcome,
        wanted.keys(),
        torn_bytes=index.torn,
        damaged_bytes=index.damaged,
        lost_records=index.lost,
        is_cut=index.is_cut,
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


class _Index:
    """Where each group's lines lie in a segment.

    Raises:
        NewerSegmentError: a later version wrote it; it waits for that version.

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
        is_complete, expected, is_unnumbered, is_empty = False, 0, False, True
        for found in scan(segment.content):
            if isinstance(found, Damage):
                if found.tail:
                    self.torn = found.end - found.start
                else:
                    self.damaged += found.end - found.start
                continue
            is_empty = False
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
        if is_empty and is_newer(segment.content):
            # Damage to the first record alone can look so as well; then others follow.
            raise NewerSegmentError(f"{path.name} is of a later version", mend="start that version on this journal")
        # An earlier version closed the segments of dead workers under the same name, without an end record.
        self.is_cut = not is_complete and path.suffix != ADOPTED and not is_unnumbered
        if is_complete or self.is_cut:
            # Behind the last record of a segment that was closed in order, nothing can be an unfinished write.
            self.torn, self.damaged = 0, self.damaged + self.torn
