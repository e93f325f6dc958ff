"""Segments and their landing, for tests."""

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

from justai_assets.landing.envelope_writer import envelope_line
from justai_assets.serving.journal.journal_folders import CLOSED
from justai_assets.serving.journal.journal_writer import Journal
from justai_assets.serving.journal.record_format import pack, tag_of
from justai_assets.serving.journal.segment_landing import Sealed, seal_segment
from justai_assets.serving.journal.uploads import Uploads
from justai_assets.storage import Root

FIFTH, SIXTH = date(2026, 1, 5), date(2026, 1, 6)
AT = "2026-01-06T00:00:00.000000Z"


def line(identity: str) -> bytes:
    return envelope_line(identity, AT, {}, b'{"a":1}')


def written(folder: Path, records: list[tuple[bytes, bytes]]) -> Path:
    async def scenario() -> Path:
        journal = Journal(folder, segment_bytes=1 << 20, segment_seconds=60, min_free_bytes=0)
        for tag, content in records:
            await journal.append(tag, content)
        await journal.close()
        return journal.folder

    return next(asyncio.run(scenario()).glob(f"*{CLOSED}"))


def seal(path: Path, root: Root, **which: Any) -> Sealed:
    return seal_segment(path, Uploads(root), **which)


RECORDS = [
    (tag_of("iterable_webhooks", "acme", FIFTH), line("a")),
    (tag_of("iterable_webhooks", "acme", SIXTH), line("b")),
    (tag_of("journey_webhooks", "acme", FIFTH), line("c")),
    (tag_of("iterable_webhooks", "other", FIFTH), line("d")),
    (tag_of("iterable_webhooks", "acme", None), line("e")),
    (tag_of("iterable_webhooks", "acme", FIFTH), line("f")),
]


def crowd(folder: Path, orgs: int) -> Path:
    """A segment of many orgs, each with another number of lines."""
    content = [pack(b"segment/w/00000001", b"", 0)]
    for number in range(orgs):
        tag = tag_of("iterable_webhooks", f"org{number:02d}", FIFTH)
        for one in range(number + 1):
            content.append(pack(tag, line(f"{number}-{one}"), len(content)))
    path = folder / "00000001.closed"
    path.write_bytes(b"".join([*content, pack(b"end", b"", len(content))]))
    return path
