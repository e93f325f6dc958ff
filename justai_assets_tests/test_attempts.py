from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest

import justai_assets
from justai_assets.attempts import attempts, tried

PACKAGE = Path(justai_assets.__file__).parent

WAITS = {
    "serving/request_outcomes.py", "serving/journal/journal_folders.py",
    "serving/journal/sealer.py", "commands/backfill_command.py", "dag/marts_file.py", "demo/http_events.py", "demo/demo_share.py",
    "testing/share_server/__main__.py", "testing/share_server/handler.py",
}  # fmt: skip
"""Modules that sleep and try nothing again: docs/adr/0017 says what each kind waits for."""


class Failing:
    """A call that fails a number of times."""

    def __init__(self, times: int, error: Exception) -> None:
        self.times = times
        self.error = error
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return self.calls


def test_a_call_is_tried_until_it_passes() -> None:
    assert tried(Failing(2, OSError()), OSError, 3) == 3


def test_the_error_of_the_last_attempt_is_let_through() -> None:
    call = Failing(9, OSError("away"))
    with pytest.raises(OSError, match="away"):
        tried(call, OSError, 3)
    assert call.calls == 3


def test_another_error_ends_it_at_once() -> None:
    call = Failing(9, KeyError())
    with pytest.raises(KeyError):
        tried(call, OSError, 3)
    assert call.calls == 1


def test_without_a_first_wait_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    tried(Failing(2, OSError()), OSError, 3)
    assert set(waits) == {0}
    waits.clear()
    for attempt in attempts(OSError, 3, first_wait=1, longest_wait=1.5):
        with attempt:
            if attempt.num < 3:
                raise OSError
    assert all(1 <= wait <= 1.5 for wait in waits)
    assert len(waits) == 2


def test_a_retry_is_logged_without_the_text_of_the_error_and_printed_nowhere(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO, "justai_assets.attempts"):
        tried(Failing(1, OSError("ann@example.com")), OSError, 2)
    assert caplog.messages == ["try 1 failed (OSError)"]
    assert "ann" not in caplog.text
    assert capsys.readouterr() == ("", "")


def test_no_other_module_sleeps_between_two_attempts_or_sets_stamina_up() -> None:
    sleepers, importers = set(), set()
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                named = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
                importers |= {name for one in named if one.split(".")[0] in {"stamina", "tenacity"}}
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep":
                sleepers.add(name)
    assert importers == {"attempts.py"}
    assert sleepers == WAITS
