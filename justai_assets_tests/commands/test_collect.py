from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from justai_assets.cli import run
from justai_assets.collector import serve as module
from justai_assets.collector.config import CollectorConfig, Limits


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[CollectorConfig, dict[str, Any]]]:
    """What the command asks to be served."""
    found: list[tuple[CollectorConfig, dict[str, Any]]] = []
    monkeypatch.chdir(tmp_path)
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
