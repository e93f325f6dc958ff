from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from justai_assets_tests import suite
from justai_assets_tests.built_folders import built_folder
from justai_assets_tests.conftest import WORKER_DIED

HOOKS = "from justai_assets_tests.conftest import pytest_configure, pytest_sessionfinish, pytest_testnodedown\n"


def run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code about the suite, in a folder with test files instead of the project's own."""
    (folder / "conftest.py").write_text(HOOKS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = serial\naddopts = -p no:cacheprovider\n")
    head = "import pathlib, sys; from justai_assets_tests import suite; suite.adopt_orphans(); "
    place = f"suite.TESTS = pathlib.Path({str(folder)!r}); "
    return subprocess.run(
        [sys.executable, "-c", head + place + code], capture_output=True, text=True, timeout=200, check=False
    )


@pytest.mark.parametrize("beside", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_a_run_that_hangs_ends_with_the_name_of_the_test_and_takes_what_it_started_along(
    tmp_path: Path, beside: tuple[str, ...]
) -> None:
    (tmp_path / "test_hangs.py").write_text(
        "import subprocess, time\n"
        "def test_it():\n"
        f"    left = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        f"    open({str(tmp_path / 'pid')!r}, 'w').write(str(left.pid))\n"
        "    time.sleep(300)\n"
    )
    done = run(
        tmp_path,
        "allowance = suite.Allowance(30)\n"
        f"def spend(_): allowance.left -= 30 * pathlib.Path({str(tmp_path / 'pid')!r}).exists()\n"
        "allowance.spend = spend\n"
        f"sys.exit(suite.pytest({str(tmp_path)!r}, *{beside!r}, allowance=allowance))",
    )
    assert done.returncode == suite.HUNG
    assert "STOPPED: the suite may take 0.5 minutes" in done.stdout
    assert "UNFINISHED after " in done.stdout
    assert "test_hangs.py::test_it" in done.stdout
    assert "left behind: sleep 300" in done.stderr
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_a_run_that_lost_a_worker_does_not_end_like_one_with_a_failed_test(tmp_path: Path) -> None:
    (tmp_path / "test_dies.py").write_text("import os\ndef test_it():\n    os.kill(os.getpid(), 9)\n")
    (tmp_path / "test_fine.py").write_text("def test_it():\n    pass\n")
    done = run(tmp_path, "sys.exit(suite.everything_but_live())")
    assert done.returncode == WORKER_DIED, done.stdout
    assert done.stdout.count("1 failed") == 1


def test_a_failed_test_is_not_tried_again_and_the_serial_tests_run_after_all_others(tmp_path: Path) -> None:
    note = f"open({str(tmp_path / 'order')!r}, 'a').write"
    once = f"    import pathlib; mark = pathlib.Path({str(tmp_path / 'mark')!r}); is_first = not mark.exists(); mark.touch()\n"
    (tmp_path / "test_now_and_then.py").write_text(
        f"def test_it():\n    {note}('beside ')\n{once}    assert not is_first\n"
    )
    (tmp_path / "test_alone.py").write_text(
        f"import pytest\n@pytest.mark.serial\ndef test_it():\n    {note}('alone ')\ndef test_beside():\n    {note}('beside ')\n"
    )
    done = run(tmp_path, "sys.exit(suite.everything_but_live())")
    assert done.returncode == suite.FAILED_TESTS, done.stdout
    assert (tmp_path / "order").read_text() == "beside beside alone "


def test_serial_tests_are_marked_where_the_suite_looks_for_the_mark() -> None:
    """In the test's own file: a mark that a conftest adds would take the test out of both parts."""
    assert not [file for file in suite.TESTS.rglob("conftest.py") if "add_marker" in file.read_text(encoding="utf-8")]


@pytest.mark.parametrize(("load", "spent"), [(0.0, 10.0), (3.0, 10.0), (1.0 + 2 * 4, 2.5)])
def test_a_second_counts_for_the_part_of_the_machine_that_the_suite_can_have(
    monkeypatch: pytest.MonkeyPatch, load: float, spent: float
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    allowance = suite.Allowance(100, load=load)
    allowance.spend(10)
    assert allowance.left == 100 - spent


def test_everybody_tries_the_same_examples_and_a_random_run_does_not(tmp_path: Path) -> None:
    (tmp_path / "test_examples.py").write_text(
        "from hypothesis import given, strategies as st\n"
        "@given(st.integers(0, 2**60))\n"
        f"def test_it(n):\n    open({str(tmp_path / 'tried')!r}, 'a').write(f'{{n}} ')\n"
    )
    seen = []
    own = "from justai_assets_tests.conftest import settings\n"
    ci = {"CI": "true"}  # hypothesis draws nothing new there, unless a profile says so
    for profile, more in (("same", {}), ("same", ci), ("random", {}), ("random", ci), ("random", ci)):
        (tmp_path / "tried").write_text("")
        (tmp_path / "conftest.py").write_text(own)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--hypothesis-profile={profile}"]
        environ = os.environ | more
        subprocess.run(
            [*command, str(tmp_path)], cwd=tmp_path, check=True, timeout=120, capture_output=True, env=environ
        )
        seen.append((tmp_path / "tried").read_text())
    assert seen[0] == seen[1]
    assert len(set(seen[1:])) == 4


def test_a_dear_folder_is_built_once_and_each_who_asks_has_a_copy(tmp_path_factory: pytest.TempPathFactory) -> None:
    built = []

    def build(folder: Path) -> None:
        built.append(folder)
        assert len(built) > 1, "the first who tries fails"
        (folder / "rows").write_text("as built")

    with pytest.raises(AssertionError, match="the first who tries fails"):
        built_folder(tmp_path_factory, "dear", build)
    one, other = (built_folder(tmp_path_factory, "dear", build) for _ in range(2))
    (one / "rows").write_text("changed")
    assert (other / "rows").read_text() == "as built"
    assert len(built) == 2
