"""Foreign Parquet, decoded where a crash costs one file: in a process of its own.

A damaged page can make a decoder panic, or abort the whole process ("memory allocation of 2305843009213693936 bytes").
In a run, that would take every other file, day and org with it. So nothing that another writer wrote is decoded in
this process: a child decodes the columns that are read, judges every value, and hands over a file of our own making
(uncompressed Arrow IPC in the caller's scratch folder), which polars then streams like any other. The child's death,
however it dies, means that this one file is unreadable.

Why a file and not a check before the read: a check would decode everything twice, and would still leave this process
to read bytes that may have changed since. Decoding and writing once costs 6 to 9 % of an intake.

A child starts in 0.15 s on an idle machine and serves all files that follow; it ends with this process, or when its
stdin is closed. What knows that it will read foreign files calls `start` before it imports or asks for anything else: a
cold process then takes no longer than one that decodes by itself, which would have to import pyarrow too.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
from functools import partial
from threading import Lock
from typing import Any, Final

from justai_assets.attempts import tried

MAX_IDLE: Final = 4
TRIES: Final = 2
"""A child may also be killed from outside: only a file that ends two of them is at fault."""

_START: Final = "import sys; sys.path[:] = {path!r}; from justai_assets.landing.decoder_process import serve; serve()"


class DecoderDiedError(Exception):
    """The decoder's process died over a file."""


class _Decoder:
    """One child process."""

    def __init__(self) -> None:
        # Its stderr is not kept: what a dying decoder says may quote the file.
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-c", _START.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The child's answer; DecoderDiedError when there is none."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            # What a dying child leaves of a line is no JSON.
            found: dict[str, Any] = json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            self.end()
            raise DecoderDiedError from None
        return found

    def end(self) -> None:
        """End the child, whatever it does."""
        with contextlib.suppress(OSError):
            self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()


_idle: list[_Decoder] = []
_lock = Lock()


def start() -> None:
    """Start a child ahead of the first file, unless one is idle: its imports then cost no waiting."""
    with _lock:
        if not _idle:
            _idle.append(_Decoder())


def ask(request: dict[str, Any]) -> dict[str, Any]:
    """Have a file decoded: the arguments of `decode.decode`, and its answer.

    Raises:
        DecoderDiedError: the file ended two decoders.
        OSError: the scratch folder cannot take the columns, or the file is not there.
    """
    answer = tried(partial(_ask_one, request), DecoderDiedError, TRIES)
    if "error" in answer:
        raise OSError(*answer["error"])
    return answer


def _ask_one(request: dict[str, Any]) -> dict[str, Any]:
    with _lock:
        decoder = _idle.pop() if _idle else None
    decoder = decoder or _Decoder()
    try:
        answer = decoder.ask(request)
    except BaseException:
        decoder.end()
        raise
    with _lock:
        is_spare = len(_idle) >= MAX_IDLE
        if not is_spare:
            _idle.append(decoder)
    if is_spare:
        decoder.end()
    return answer


@atexit.register
def end_all() -> None:
    """End the idle children."""
    with _lock:
        ended, _idle[:] = list(_idle), []
    for decoder in ended:
        decoder.end()


# A forked child shares the pipes: two readers of one answer.
os.register_at_fork(after_in_child=_idle.clear)
