"""Charts are drawn in a process of their own.

The drawing library embeds V8, which on processors with memory protection keys dies now and then of a segmentation fault
(https://github.com/denoland/rusty_v8/issues/1381). Inside a run it would take the run along. Here it takes the painter,
and the next one draws the same chart.

The child reads one request a line, `{"to": "svg" | "png", "spec": …, "scale": …}`, and answers a line
`{"bytes": n}` followed by so many bytes, or `{"error": text}`. It ends when its input does.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from functools import partial
from typing import Any, Final, Literal

ATTEMPTS: Final = 4
PATIENCE_SECONDS: Final = 120.0

_painters: dict[int, Painter] = {}
"""The painter of this process. By process id, because a fork inherits the pipes and must not use them."""


class PainterDiedError(Exception):
    """The drawing process died over the chart, or took too long."""


class PaintingError(RuntimeError):
    """The chart cannot be drawn: the library refuses it, or died of it every time."""


def paint(to: Literal["svg", "png"], spec: dict[str, Any], *, scale: float = 1.0) -> bytes:
    """A Vega-Lite chart as SVG text or as PNG.

    Raises:
        PaintingError: the library refuses the chart, or the painter died or hung ATTEMPTS times over it.
    """
    from justai_assets.attempts import tried  # here: the child runs this file, and need not wait for it

    request = json.dumps({"to": to, "spec": spec, "scale": scale}, default=str).encode() + b"\n"
    painter = _painters.setdefault(os.getpid(), Painter())
    try:
        return tried(partial(painter.ask, request), PainterDiedError, ATTEMPTS)
    except PainterDiedError:
        raise PaintingError(f"the drawing process died {ATTEMPTS} times over the same chart") from None


class Painter:
    """One child, started when first asked and again after it died; asked by one thread at a time."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        atexit.register(self.close)

    def ask(self, request: bytes) -> bytes:
        """The drawing; PainterDiedError when the child died over it or took too long."""
        with self._lock:
            child = self._child
            if child is None or child.poll() is not None:
                # The file alone, not the package: what the child need not import it need not wait for.
                command = [sys.executable, "-P", __file__]
                child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own file
                self._child = child
            patience = threading.Timer(PATIENCE_SECONDS, child.kill)
            patience.start()
            try:
                return _exchange(child, request)
            except PaintingError:
                raise
            except BaseException as error:
                # Whatever else it was, half an answer may be on its way.
                child.kill()
                child.wait()
                self._child = None
                if isinstance(error, (BrokenPipeError, EOFError)):
                    raise PainterDiedError from None
                raise
            finally:
                patience.cancel()

    def close(self) -> None:
        """End the child; the next request starts another."""
        if self._child is not None:
            self._child.communicate()
            self._child = None


def _exchange(child: subprocess.Popen[bytes], request: bytes) -> bytes:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(request)
    child.stdin.flush()
    head = child.stdout.readline()
    if not head.endswith(b"\n"):
        raise EOFError
    answer = json.loads(head)
    if "error" in answer:
        raise PaintingError(answer["error"])
    drawn = child.stdout.read(answer["bytes"])
    if len(drawn) < answer["bytes"]:
        raise EOFError
    return drawn


def _serve() -> None:
    import vl_convert

    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            if request["to"] == "svg":
                drawn = vl_convert.vegalite_to_svg(request["spec"]).encode()
            else:
                drawn = bytes(vl_convert.vegalite_to_png(request["spec"], scale=request["scale"]))
        except ValueError as error:
            sys.stdout.buffer.write(json.dumps({"error": str(error)}).encode() + b"\n")
        else:
            sys.stdout.buffer.write(json.dumps({"bytes": len(drawn)}).encode() + b"\n" + drawn)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
