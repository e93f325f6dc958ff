from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

from justai_assets.attribution.engine.memory_limits import Limits
from justai_assets.attribution.event_files import InputError
from justai_assets.attribution.file_attribution import OutputError, attribute_files
from justai_assets.attribution.rule import Rule
from justai_assets_tests.attribution.events import (
    MIDNIGHT,
    custom_file,
    custom_files,
    esp_file,
    esp_files,
    limits,
    rules,
)
from justai_assets_tests.attribution.file_runs import (
    PURCHASE,
    SEND,
    check_against_the_sql,
    damage,
    read_out,
    run,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(esp_files, custom_files, rules, limits)
def test_the_output_is_that_of_the_documented_sql(
    esp: list[dict[str, Any]], custom: list[dict[str, Any]], rule: Rule, cut: Limits
) -> None:
    check_against_the_sql(esp_file(esp), custom_file(custom), rule, limits=cut)


def test_only_the_days_asked_for_are_written_and_earlier_sends_still_count(tmp_path: Path) -> None:
    esp = esp_file([SEND, {**SEND, "event_timestamp": MIDNIGHT + timedelta(days=1)}])
    times = [timedelta(hours=1), timedelta(hours=23), timedelta(days=1)]
    custom = custom_file([{**PURCHASE, "event_timestamp": MIDNIGHT + after} for after in times])
    day = date(2026, 3, 10)
    out, summary = run(tmp_path, esp, custom, Rule(), first=day, last=day)
    assert summary.days == {day: 3}
    later = date(2026, 3, 11)
    custom = custom_file([{**PURCHASE, "event_timestamp": MIDNIGHT + timedelta(hours=26)}])
    (tmp_path / "next").mkdir()
    out, summary = run(tmp_path / "next", esp[:1], custom, Rule(window_hours=48), first=later)
    assert out.select("event_name", "message_id").rows() == [("purchase", "m")]
    assert summary.engagement == 0


def test_names_with_glob_characters_are_read_once(tmp_path: Path) -> None:
    folder = tmp_path / "a/[b]"
    folder.mkdir(parents=True)
    for name in ("esp[1].parquet", "esp1.parquet", "esp*.parquet"):
        esp_file([SEND]).write_parquet(folder / name)
    custom_file([PURCHASE]).write_parquet(tmp_path / "custom.parquet")
    for number, (pattern, count) in enumerate({"esp[1].parquet": 1, "esp*.parquet": 1, "": 3, "esp[[]*": 1}.items()):
        out = tmp_path / f"out-{number}"
        summary = attribute_files(f"{folder}/{pattern}".rstrip("/"), f"{tmp_path}/custom.parquet", out, Rule())
        assert (pattern, summary.engagement, summary.attributed) == (pattern, count, 1)


def test_a_glob_that_matches_folders_searches_them_and_counts_each_file_once(tmp_path: Path) -> None:
    for folder in ("esp/event_date=2026-01-05", "esp/event_date=2026-01-06/deeper", "esp/_delta_log"):
        (tmp_path / folder).mkdir(parents=True)
        pl.DataFrame([SEND]).write_parquet(tmp_path / folder / "part-0.parquet")
    pl.DataFrame([PURCHASE]).write_parquet(tmp_path / "custom.parquet")
    for number, pattern in enumerate(("esp/*", "esp/event_date=*", "esp/**", "esp/**/*.parquet", "esp")):
        out = tmp_path / f"out-{number}"
        summary = attribute_files(f"{tmp_path}/{pattern}", f"{tmp_path}/custom.parquet", out, Rule())
        assert (summary.engagement, summary.custom) == (2, 1), pattern


def test_an_output_that_is_a_link_is_written_where_it_points(tmp_path: Path) -> None:
    for name, row in (("esp", SEND), ("custom", PURCHASE)):
        pl.DataFrame([row]).write_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    summary = attribute_files(f"{tmp_path}/esp.parquet", f"{tmp_path}/custom.parquet", tmp_path / "link", Rule())
    assert (tmp_path / "link").is_symlink()
    assert len(read_out(tmp_path / "real", summary)) == 2


def test_the_working_directory_is_refused_as_an_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, row in (("esp", SEND), ("custom", PURCHASE)):
        pl.DataFrame([row]).write_parquet(tmp_path.parent / f"{tmp_path.name}-{name}.parquet")
    where = f"{tmp_path}-esp.parquet", f"{tmp_path}-custom.parquet"
    with pytest.raises(OutputError, match=r"working directory \(name a folder in it"):
        attribute_files(*where, Path(), Rule())


def test_a_folder_is_searched_and_hidden_entries_are_passed_over(tmp_path: Path) -> None:
    for name in ("esp/event_date=2026-03-10/part-0.parquet", "custom/a.parquet"):
        (tmp_path / name).parent.mkdir(parents=True)
        (esp_file([SEND]) if "esp" in name else custom_file([PURCHASE])).write_parquet(tmp_path / name)
    (tmp_path / "esp/_delta_log").mkdir()
    (tmp_path / "esp/_delta_log/0.checkpoint.parquet").write_bytes(b"not events")
    (tmp_path / "esp/_SUCCESS").write_bytes(b"")
    summary = attribute_files(f"{tmp_path}/esp", f"{tmp_path}/cust*/**/*.parquet", tmp_path / "out", Rule())
    assert (summary.engagement, summary.attributed) == (1, 1)


def test_a_folder_that_holds_something_is_refused_unless_it_may_be_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious").write_text("keep me")
    with pytest.raises(OutputError, match="is not empty"):
        run(tmp_path, esp_file([SEND]), custom_file([PURCHASE]), Rule())
    assert (out / "precious").read_text() == "keep me"
    summary = attribute_files(f"{tmp_path}/esp/*.parquet", f"{tmp_path}/custom/*.parquet", out, Rule(), overwrite=True)
    assert len(read_out(out, summary)) == 2


def test_a_folder_that_holds_an_input_is_never_replaced(tmp_path: Path) -> None:
    esp_file([SEND]).write_parquet(tmp_path / "esp.parquet")
    custom_file([PURCHASE]).write_parquet(tmp_path / "custom.parquet")
    with pytest.raises(OutputError, match="holds an input"):
        attribute_files(f"{tmp_path}/esp.parquet", f"{tmp_path}/custom.parquet", tmp_path, Rule(), overwrite=True)
    assert len(list(tmp_path.iterdir())) == 2


def test_the_date_is_that_of_the_timestamp_whatever_the_files_own_event_date_says(tmp_path: Path) -> None:
    esp = esp_file([SEND]).with_columns(event_date=date(2020, 2, 2))
    out, _ = run(tmp_path, esp, custom_file([]), Rule(), limits=Limits(copy_rows=0))
    assert out["event_date"].to_list() == [date(2026, 3, 10)]


def test_a_failure_leaves_the_previous_output_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(tmp_path, esp_file([SEND]), custom_file([PURCHASE]), Rule())
    before = sorted(tmp_path.rglob("*"))
    for path in (tmp_path / "esp").glob("*.parquet"):
        damage(path)
    with pytest.raises(InputError, match=r"esp/2\.parquet cannot be read"):
        attribute_files(f"{tmp_path}/esp", f"{tmp_path}/custom", out, Rule(), overwrite=True)
    assert sorted(tmp_path.rglob("*")) == before
