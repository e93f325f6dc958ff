"""The attack of damaged files, small: the documented command runs it at full size."""

from __future__ import annotations

import pytest

from justai_assets_tests.attack.corrupt import run


def test_no_damaged_file_ends_a_run_and_each_has_an_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--parquet", "400", "--webhooks", "200", "--seed", "7"]) == 0
    said = capsys.readouterr().out
    assert "LOST" not in said
    assert "400 Parquet and 200 webhook files" in said
    assert {"accepted", "unreadable_file", "not_json"} <= {word.strip(",") for word in said.split()}
