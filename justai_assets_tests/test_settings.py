from __future__ import annotations

from pathlib import Path

import pytest

from justai_assets.contract.errors import JustAIError
from justai_assets.settings import DEFAULT_LAKE, DEFAULT_LANDING, DEFAULT_ORGS_DIR, Settings, memory_budget

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


def test_a_slice_has_a_name_of_its_own_whatever_the_order_of_its_orgs(monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for value in ("", "acme,globex", " globex, acme,", "acme", "acme-globex"):
        monkeypatch.setenv("JUSTAI_ORGS", value)
        names.append(Settings.from_environment().slice_name)
    assert names[0] == ""
    assert names[1] == names[2]
    assert len(set(names)) == 4


@pytest.mark.parametrize(("text", "budget"), [(None, None), ("", None), (" ", None), ("300000000", 300_000_000)])
def test_the_memory_budget_is_bytes_or_left_to_the_engine(
    text: str | None, budget: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUSTAI_MEMORY_BUDGET", raising=False)
    if text is not None:
        monkeypatch.setenv("JUSTAI_MEMORY_BUDGET", text)
    assert memory_budget() == budget


@pytest.mark.parametrize("text", ["4GB", "0", "-1", "1.5", "²"])
def test_a_memory_budget_that_is_no_number_of_bytes_says_so(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUSTAI_MEMORY_BUDGET", text)
    with pytest.raises(JustAIError, match=r"JUSTAI_MEMORY_BUDGET=.* is not a number of bytes \(for example"):
        memory_budget()
    Settings.from_environment()
