"""A decoder that dies, is killed or is forked costs at most one file, and a good file nothing at all."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import polars as pl
import pytest

from justai_assets.landing import decoder
from justai_assets.landing.parquet import DropFileError, decoded, rows_in

KINDS = {"a": "text"}

ABORTS = "import os, sys; sys.stdin.readline(); os.abort()"
BABBLES = "import sys; sys.stdin.readline(); print('no answer', flush=True); sys.stdin.readline()"
LEAVES = "import sys; sys.stdin.readline(); print('[', end='', flush=True)"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.parquet"
    pl.DataFrame({"a": ["1", "2"]}).write_parquet(path)
    return path


def read(file: Path) -> list[str]:
    found: list[str] = decoded(file, "x", KINDS, file.with_suffix(".arrow")).scan().collect()["a"].to_list()
    return found


@pytest.mark.parametrize("child", [ABORTS, BABBLES, LEAVES])
def test_a_file_that_ends_every_decoder_is_unreadable(child: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder.end_all()
    with monkeypatch.context() as patch:
        patch.setattr(decoder, "_START", child)
        with pytest.raises(DropFileError) as caught:
            read(file)
        assert caught.value.code == "unreadable_file"
    assert read(file) == ["1", "2"]


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV])
def test_an_idle_decoder_that_was_killed_is_replaced(with_signal: int, file: Path) -> None:
    decoder.end_all()
    assert read(file) == ["1", "2"]
    (idle,) = decoder._idle
    os.kill(idle._process.pid, with_signal)
    idle._process.wait()
    assert read(file) == ["1", "2"]


def test_one_decoder_serves_many_files(file: Path) -> None:
    decoder.end_all()
    decoder.start()
    (first,) = decoder._idle
    for _ in range(5):
        assert rows_in(file, "x") == 2
    assert decoder._idle == [first]


def test_a_forked_process_does_not_share_the_parents_decoder(file: Path) -> None:
    assert rows_in(file, "x") == 2
    pid = os.fork()
    if pid == 0:
        os._exit(0 if not decoder._idle and rows_in(file, "x") == 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert rows_in(file, "x") == 2


def test_a_decoder_ends_with_the_process_that_started_it(file: Path, tmp_path: Path) -> None:
    import subprocess
    import sys
    import time

    code = (
        "from pathlib import Path; from justai_assets.landing import decoder, parquet; "
        f"parquet.rows_in(Path({str(file)!r}), 'x'); print(decoder._idle[0]._process.pid, flush=True); "
        "import os; os.kill(os.getpid(), 9)"
    )
    said = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=False).stdout
    for _ in range(100):
        if not Path(f"/proc/{int(said)}").exists():
            return
        time.sleep(0.05)
    raise AssertionError("the decoder outlived its parent")
