from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from justai_assets.reporting import chart_process as painter
from justai_assets.reporting.chart_process import ATTEMPTS, Painter, PaintingError, paint


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[Painter]:
    """A painter of the test's own; ended with it."""
    one = Painter()
    monkeypatch.setattr(painter, "_painters", {os.getpid(): one})
    yield one
    one.close()


def spec(word: str = "a") -> dict[str, Any]:
    return {"data": {"values": [{"x": word}]}, "mark": "text", "encoding": {"text": {"field": "x"}}}


def test_a_chart_becomes_svg_or_png() -> None:
    assert paint("svg", spec()).startswith(b"<svg")
    assert paint("png", spec(), scale=2.0).startswith(b"\x89PNG")


def test_a_painter_that_died_is_replaced_and_draws_the_same(fresh: Painter) -> None:
    first = paint("png", spec())
    assert fresh._child is not None
    dead = fresh._child.pid
    fresh._child.kill()
    assert paint("png", spec()) == first
    assert fresh._child.pid != dead


def test_a_painter_that_dies_over_every_chart_is_an_error_not_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(PaintingError, match=f"died {ATTEMPTS} times"):
        paint("svg", spec())


def test_one_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(sleeper))
    monkeypatch.setattr(painter, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(PaintingError, match="died"):
        paint("svg", spec())


def test_a_chart_that_the_library_refuses_is_an_error_and_the_next_is_drawn(fresh: Painter) -> None:
    with pytest.raises(PaintingError, match="failed"):
        paint("svg", {"mark": "nonsense"})
    assert fresh._child is not None
    pid = fresh._child.pid
    assert paint("svg", spec()).startswith(b"<svg")
    assert fresh._child.pid == pid


def test_threads_get_each_their_own_chart() -> None:
    words = [f"word{number}" for number in range(20)]
    with ThreadPoolExecutor(5) as pool:
        drawn = list(pool.map(lambda word: paint("svg", spec(word)), words))
    assert all(f">{word}<".encode() in one for word, one in zip(words, drawn, strict=True))
