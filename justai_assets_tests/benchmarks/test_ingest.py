from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from benchmarks import webhooks
from benchmarks.ingest import ingest
from benchmarks.ingest_contenders import CONTENDERS
from benchmarks.process import BenchError
from benchmarks.webhooks import land_webhooks


@pytest.mark.slow
def test_every_contender_is_given_the_same_records_and_the_table_holds_each_event_once(tmp_path: Path) -> None:
    said: list[str] = []
    report = ingest(tmp_path, events=1_000, repeats=1, progress=lambda doing, _: said.append(doing))
    assert set(CONTENDERS) <= set(said)
    assert {row.name: row.rows for row in report.rows} == dict.fromkeys(CONTENDERS, 1_000) | {"ingest": 990}
    assert not (tmp_path / "out").exists()
    data, picture = report.write(tmp_path / "results", "ingest")
    assert json.loads(data.read_text())["base"] == "scan_ndjson"
    assert picture.read_text().startswith("<svg")


@pytest.mark.slow
def test_a_day_that_lost_a_file_fails_the_benchmark(tmp_path: Path) -> None:
    land_webhooks(tmp_path / "landing-500", 500).webhook_files[-1].unlink()
    with pytest.raises(BenchError, match="ingest: 495 records and 495 rows, not 500 and 495"):
        ingest(tmp_path, events=500, contenders=("ingest",), repeats=1)


def test_an_unknown_contender_is_named_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no contender abacus"):
        ingest(tmp_path, contenders=("ingest", "abacus"))
    assert list(tmp_path.iterdir()) == []


def test_envelopes_are_sealed_in_files_and_some_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "FILE_EVENTS", 400)
    landed = land_webhooks(tmp_path, 1_000, drop=True)
    lines = pl.scan_lines(landed.webhook_files).collect()["line"]
    bodies = [json.loads(line) for line in lines]
    assert len(landed.webhook_files) == 4
    assert len(lines) == 1_000
    assert len({body["id"] for body in bodies}) == lines.n_unique() == 990
    assert {body["body"]["eventName"] for body in bodies} == {"emailSend", "emailOpen", "emailClick"}
    assert {type(body["body"]["dataFields"]["campaignId"]) for body in bodies} == {int}
    assert 700 < lines.str.len_bytes().mean() < 1_000
    drop = pl.read_parquet(tmp_path / "landing" / "redshift" / "**" / "*.parquet")
    assert drop.height == 1_000
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.zst")}
    land_webhooks(tmp_path, 1_000, drop=True)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.zst")} == written
