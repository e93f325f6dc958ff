"""A day's envelopes parsed on more than one core: the parent types what its children parse.

Parsing holds the interpreter's lock, so that threads do not help. A child of `decoder` parses some files at a time and
leaves Arrow files in the caller's scratch folder. A small day is parsed in this process: a child costs half a second.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import polars as pl

from justai_assets.landing import decoder
from justai_assets.landing.envelopes import Batch, read_envelopes

GROUP_BYTES: Final = 2 << 20
"""Packed bytes that a child parses at once: about 20,000 events."""

APART_BYTES: Final = 8 << 20
"""A day of fewer packed bytes is parsed here."""

_CHILDREN: Final = max(1, min(4, (os.cpu_count() or 1) - 1))

File = tuple[Path, str]


def parse_envelopes(
    files: Sequence[File], door: str, body: pl.Struct, scratch: Path, *, with_line: bool = False
) -> Iterator[Batch]:
    """`read_envelopes`, with the parsing of a large day in other processes; the same records in the same order.

    Args:
        files: as there.
        door: as there.
        body: as there.
        scratch: an existing folder for what the children write; each file is removed once its batch was taken.
        with_line: as there.

    Raises:
        OSError: the scratch folder is full, or a file is gone.
    """
    if sum(path.stat().st_size for path, _ in files) < APART_BYTES:
        yield from read_envelopes(files, door, body, with_line=with_line)
        return
    first, *rest = _groups(files)
    todo = deque(enumerate(rest))
    waiting: deque[tuple[list[File], Future[list[list[Any]]] | list[Batch]]] = deque()

    def here(group: list[File]) -> Iterator[Batch]:
        return read_envelopes(group, door, body, with_line=with_line)

    with ThreadPoolExecutor(_CHILDREN, thread_name_prefix="parsing") as pool:

        def submit() -> None:
            if todo:
                number, group = todo.popleft()
                folder = scratch / f"envelopes-{number}"
                waiting.append((group, pool.submit(_ask, group, door, body, folder, with_line=with_line)))

        for _ in range(_CHILDREN + 1):
            submit()
        # The children start meanwhile.
        yield from here(first)
        while waiting:
            if todo and _is_running(waiting[0][1]) and not any(isinstance(one, list) for _, one in waiting):
                # Rather than wait for the next in order, parse one that no child has begun.
                _, group = todo.popleft()
                waiting.append((group, list(here(group))))
                continue
            group, answer = waiting.popleft()
            if isinstance(answer, list):
                yield from answer
                continue
            submit()
            try:
                parts = answer.result()
            except decoder.DecoderDiedError:
                # Whatever it died of, a line is judged here as it is in a small day.
                yield from here(group)
                continue
            for received, *paths in parts:
                envelopes, rejected = map(pl.read_ipc, paths)
                for path in paths:
                    Path(path).unlink()
                yield Batch(received, envelopes, rejected)
    # What comes after parsing needs the memory: an idle child that has loaded polars holds 200 MB.
    decoder.end_all()


def write_batches(
    files: Iterable[tuple[str, str]], door: str, body: dict[str, Any], target: str, *, with_line: bool
) -> list[list[Any]]:
    """In the child: parse files into Arrow files below `target`; received, envelopes and rejected of each batch."""
    folder = Path(target)
    folder.mkdir(exist_ok=True)
    parts: list[list[Any]] = []
    batches = read_envelopes(((Path(path), key) for path, key in files), door, _struct(body), with_line=with_line)
    for number, batch in enumerate(batches):
        part: list[Any] = [batch.received]
        for name in ("envelopes", "rejected"):
            path = folder / f"{number:06d}.{name}.arrow"
            getattr(batch, name).write_ipc(path)
            part.append(str(path))
        parts.append(part)
    return parts


def _is_running(answer: Future[list[list[Any]]] | list[Batch]) -> bool:
    return isinstance(answer, Future) and not answer.done()


def _ask(group: list[File], door: str, body: pl.Struct, folder: Path, *, with_line: bool) -> list[list[Any]]:
    request = {
        "files": [(str(path), key) for path, key in group],
        "door": door,
        "body": _names(body),
        "target": str(folder),
        "with_line": with_line,
    }
    parts: list[list[Any]] = decoder.ask({"envelopes": request})["parts"]
    return parts


def _groups(files: Iterable[File]) -> Iterator[list[File]]:
    group: list[File] = []
    size = 0
    for file in files:
        group.append(file)
        size += file[0].stat().st_size
        if size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _names(body: pl.Struct) -> dict[str, Any]:
    """The fields of a struct of texts, as JSON can say them."""
    return {one.name: _names(one.dtype) if isinstance(one.dtype, pl.Struct) else None for one in body.fields}


def _struct(names: dict[str, Any]) -> pl.Struct:
    return pl.Struct({name: pl.String() if inner is None else _struct(inner) for name, inner in names.items()})
