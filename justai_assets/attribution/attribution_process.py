"""`attribute_files` in a process of its own, so that a file over which a decoder aborts does not end the caller.

Large inputs are streamed as they lie, by polars, which may abort over a damaged page. The caller then sees a process
that died, and has the work done once more from copies that the decoder makes of all files (see `landing.decoder`),
without those that cannot be read.
"""

from __future__ import annotations

import multiprocessing
import pickle
import shutil
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from justai_assets.contract.errors import JustAIError
from justai_assets.landing import decoder

if TYPE_CHECKING:  # the child starts its decoder before it imports the engine
    from justai_assets.attribution.file_attribution import Progress, Summary
    from justai_assets.attribution.rule import Rule


class AttributionDiedError(JustAIError):
    """The process that attributes was ended from outside, or died twice."""

    code = "attribution_died"


def attribute_apart(esp: str, custom: str, out: Path, rule: Rule, *, progress: Progress, **options: Any) -> Summary:
    """`attribute_files` with the same arguments, in a child process; again from copies when the child dies.

    Raises:
        JustAIError: as `attribute_files`; AttributionDiedError when the child died both times.
    """
    from justai_assets.attribution.file_attribution import Summary

    died = 0
    for is_distrustful in (False, True):
        receiver, sender = multiprocessing.get_context("spawn").Pipe(duplex=False)
        child = multiprocessing.get_context("spawn").Process(
            target=_serve,
            args=(sender, pickle.dumps((esp, custom, out, rule, {**options, "is_distrustful": is_distrustful}))),
        )
        child.start()
        sender.close()
        try:
            found = _received(receiver, progress)
        except BaseException:
            child.terminate()
            raise
        finally:
            receiver.close()
            child.join()
        if isinstance(found, Summary):
            return found
        if isinstance(found, BaseException):
            raise found
        died = child.exitcode or 0
        for left in out.resolve().parent.glob(f".{out.resolve().name}.{child.pid}-*"):
            shutil.rmtree(left, ignore_errors=True)
    raise AttributionDiedError(
        f"the process that attributes ended by signal {-died}", mend="see that it may use the memory it needs"
    )


def _received(receiver: Connection, progress: Progress) -> Summary | BaseException | None:
    """What the child came to, after all its progress; None when it died."""
    while True:
        try:
            said = receiver.recv()
        except EOFError:
            return None
        if not isinstance(said, tuple):
            found: Summary | BaseException = said
            return found
        progress(*said)


def _serve(sender: Connection, arguments: bytes) -> None:
    decoder.start()
    from justai_assets.attribution.file_attribution import attribute_files

    esp, custom, out, rule, options = pickle.loads(arguments)  # noqa: S301 - the parent's own, made a moment ago
    try:
        said: Any = attribute_files(
            esp, custom, out, rule, progress=lambda doing, share: sender.send((doing, share)), **options
        )
    except Exception as error:  # whatever it is, the caller raises it again
        said = error
    sender.send(said)
