from __future__ import annotations

from pathlib import Path

import pytest

from justai_assets.settings import DEFAULT_LAKE, DEFAULT_LANDING, DEFAULT_ORGS_DIR, Settings

NAMES = ("JUSTAI_LANDING", "JUSTAI_LAKE", "JUSTAI_ORGS_DIR", "JUSTAI_ORGS")


@pytest.mark.parametrize("value", [None, ""])
def test_an_empty_variable_counts_as_unset(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert Settings.from_environment() == Settings(DEFAULT_LANDING, DEFAULT_LAKE, Path(DEFAULT_ORGS_DIR), None)


def test_every_variable_is_read_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(NAMES, ("s3://in/a", "s3://out/b", "/etc/orgs", " acme, globex ,,"), strict=True):
        monkeypatch.setenv(name, value)
    assert Settings.from_environment() == Settings("s3://in/a", "s3://out/b", Path("/etc/orgs"), ("acme", "globex"))


def test_a_slice_of_nothing_but_commas_is_no_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUSTAI_ORGS", " , ,")
    assert Settings.from_environment().only is None
