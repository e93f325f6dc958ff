from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from justai_assets.cli import run
from justai_assets.serving import http_server as module
from justai_assets.serving.collector_config import CollectorConfig, Limits


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[CollectorConfig, dict[str, Any]]]:
    """What the command asks to be served."""
    found: list[tuple[CollectorConfig, dict[str, Any]]] = []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orgs").mkdir()
    monkeypatch.setattr(module, "serve", lambda config, **more: found.append((config, more)))
    return found


def test_without_options_the_limits_are_the_documented_ones(
    served: list[tuple[CollectorConfig, dict[str, Any]]],
) -> None:
    assert run(["collect"]) == 0
    (config, more), = served  # fmt: skip
    plain = CollectorConfig(config.journal, config.landing, config.orgs_dir)
    assert config == plain
    assert more == {"host": "127.0.0.1", "port": 8080, "workers": 1}


def test_options_reach_the_collector(served: list[tuple[CollectorConfig, dict[str, Any]]]) -> None:
    options = "--org-requests-per-second 50 --org-burst 70 --body-bytes 2000000 --connections 99"
    assert run(["collect", *options.split(), "--segment-seconds", "5", "--min-free-bytes", "1000"]) == 0
    (config, _), = served  # fmt: skip
    assert config.limits == Limits(org_requests_per_second=50, org_burst=70, body_bytes=2_000_000, connections=99)
    assert (config.segment_seconds, config.min_free_bytes) == (5, 1000)


@pytest.mark.parametrize("option", ["--body-bytes", "--connections", "--segment-seconds"])
def test_a_limit_that_cannot_work_is_one_clear_line(
    option: str, served: list[tuple[CollectorConfig, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["collect", option, "0"]) == 1
    assert served == []
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_body_larger_than_strangers_may_hold_is_refused(
    served: list[tuple[CollectorConfig, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["collect", "--body-bytes", str(9 << 20)]) == 1
    assert "unverified" in capsys.readouterr().err


@pytest.mark.parametrize("named", [None, "mistyped"])
def test_an_absent_folder_of_org_files_is_refused_and_an_empty_one_is_not(
    named: str | None,
    served: list[tuple[CollectorConfig, dict[str, Any]]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path(named or "orgs")
    if named:
        monkeypatch.setenv("JUSTAI_ORGS_DIR", named)
    else:
        folder.rmdir()
    assert run(["collect"]) == 1
    assert served == []
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert f"there is no folder {folder} of org files" in said
    assert "set JUSTAI_ORGS_DIR" in said
    folder.mkdir()
    assert run(["collect"]) == 0
    assert len(served) == 1, "org files may come later: they are read again while it runs"
