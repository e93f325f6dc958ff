"""The command line as a person uses it: exit codes, one clear line on stderr, help with an example."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cyclopts
import polars as pl
import pytest

from justai_assets.cli import app, run
from justai_assets_tests.world import WEBHOOK_ORG, World, esp

DAYS = ("--from", "2026-01-05", "--to", "2026-01-05")


def commands(within: cyclopts.App = app, *path: str) -> Iterator[tuple[tuple[str, ...], cyclopts.App]]:
    """Every command that can be run, with its words."""
    for name in within:
        if name.startswith("-"):
            continue
        inner = within[name]
        if [one for one in inner if not one.startswith("-")]:
            yield from commands(inner, *path, name)
        else:
            yield (*path, name), inner


ALL = list(commands())


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What was said on stderr: one line, which names the program."""
    text = capsys.readouterr().err
    assert text.startswith("justai: ")
    assert text.count("\n") == 1
    assert "Traceback" not in text
    return text


def test_there_are_commands() -> None:
    assert {" ".join(words) for words, _ in ALL} >= {"demo", "ui", "materialize", "attribute", "org check"}


@pytest.mark.parametrize("words", [words for words, _ in ALL], ids=" ".join)
def test_every_command_explains_itself_with_an_example(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"Usage: justai {' '.join(words)}" in text
    assert f"Example: justai {' '.join(words)}" in text


@pytest.mark.parametrize("group", sorted({words[0] for words, _ in ALL if len(words) > 1}))
def test_every_group_explains_itself_with_an_example(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([group, "--help"]) == 0
    example = re.search(rf"Example: justai {group} ([a-z]+)", " ".join(capsys.readouterr().out.split()))
    assert example is not None
    assert (group, example[1]) in {words for words, _ in ALL}


@pytest.mark.parametrize("words", [words for words, _ in ALL], ids=" ".join)
def test_the_options_of_an_example_exist(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    run([*words, "--help"])
    text = capsys.readouterr().out
    example, _, rest = text.partition("Example:")[2].partition("╭")
    for option in re.findall(r"--[a-z-]+", example.split("\n\n")[0]):
        assert option in rest, option


@pytest.mark.parametrize(
    "words",
    [
        ["frobnicate"],
        ["materialize"],
        ["materialize", "--org", "acme"],
        ["materialize", "--org", "acme", *DAYS, "--frobnicate"],
        ["materialize", "--org", "acme", "--from", "yesterday", "--to", "2026-01-05"],
        ["materialize", "--org", "acme", "--from", "2026-01-06", "--to", "2026-01-05"],
        ["demo", "--sends", "many"],
        ["demo", "--sends", "0"],
        ["demo", "--last", "soon"],
        ["attribute", "--esp", "x"],
        ["attribute", "--esp", "x", "--custom", "y", "--out", "z", "--window-hours", "73"],
        ["attribute", "--esp", "x", "--custom", "y", "--out", "z", "--window-hours", "0"],
        ["attribute", "--esp", "x", "--custom", "y", "--out", "z", "--window-hours", "1.5"],
        ["attribute", "--esp", "x", "--custom", "y", "--out", "z", "--window", "purchase"],
        ["attribute", "--esp", "x", "--custom", "y", "--out", "z", "--window", "purchase=100"],
        ["attribute", "--esp", "x", "--custom", "y", "--out", "z", "--window", "purchase=²"],
        ["attribute", "--esp", "x", "--custom", "y", "--out", "z", "--from", "2026-01-05", "--to", "2026-01-01"],
        ["attribute", "--esp", "", "--custom", "y", "--out", "z"],
        ["ui", "--port", "http"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_2_and_one_line(words: list[str], world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.add_org(WEBHOOK_ORG)
    assert run(words) == 2
    said(capsys)


def test_what_fails_is_1_and_one_line_with_the_mend(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    world.add_org(WEBHOOK_ORG)
    (tmp_path / "a file").write_text("x")
    for words, message in [
        (["materialize", "--org", "initech", *DAYS], "no org 'initech'; known: acme"),
        (["materialize", "--org", "acme", "--from", "2020-01-01", "--to", "2020-01-02"], "has the days 2026-01-01"),
        (["materialize", "--org", "acme", *DAYS, "--asset", "nothing"], "no table nothing (it has esp_events"),
        (["attribute", "--esp", f"{tmp_path}/no/*", "--custom", "x", "--out", f"{tmp_path}/out"], "no Parquet file"),
        (["demo", "--home", str(tmp_path / "a file")], "not a folder (name another --home)"),
        (["demo", "--home", str(tmp_path)], "no demo made it"),
        (["demo", "--home", str(tmp_path / "a file" / "inside")], "Not a directory"),
        (["ui", "--home", str(tmp_path / "none")], "run justai demo first"),
    ]:
        assert run(words) == 1, words
        assert message in said(capsys), words


def test_a_root_that_cannot_be_one_is_said_once_and_before_anything_runs(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.add_org(WEBHOOK_ORG)
    monkeypatch.setenv("JUSTAI_LAKE", "ftp://somewhere")
    assert run(["materialize", "--org", "acme", *DAYS]) == 1
    assert "not a usable root" in said(capsys)


def test_materialize_runs_the_days_and_shows_the_fates(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.add_org(WEBHOOK_ORG)
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00"), "{broken"])
    assert run(["materialize", "--org", "acme", *DAYS, "--asset", "esp_events"]) == 0
    out = capsys.readouterr().out
    assert "What became of every record, 2026-01-05" in out
    assert "quarantined not_json 1" in out


def test_a_failed_run_is_1_and_names_table_and_cause(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.add_org(WEBHOOK_ORG, pseudonym_salt="env:GONE_SALT")
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00")])
    monkeypatch.delenv("GONE_SALT", raising=False)
    assert run(["materialize", "--org", "acme", *DAYS, "--asset", "esp_events"]) == 1
    error = capsys.readouterr().err
    assert (
        "failed acme__esp_events: env:GONE_SALT is empty or not set (set the environment variable GONE_SALT)" in error
    )


def test_org_check_names_every_file_key_and_mend(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_org(WEBHOOK_ORG)
    assert run(["org", "check"]) == 0
    assert "ok    acme: since 2026-01-01, iterable_webhooks, journey_webhooks, redshift" in capsys.readouterr().out
    (world.folder / "orgs" / "bad.yaml").write_text("slug: bad\n'[/red]': 1\n'[bold]': 2\n", encoding="utf-8")
    assert run(["org", "check", "acme"]) == 0
    assert run(["org", "check"]) == 1
    errors = capsys.readouterr().err
    assert "bad.yaml: start_date: is missing; add it" in errors
    assert "bad.yaml: [/red]: is not a known key" in errors
    assert "bad.yaml: [bold]: is not a known key" in errors
    assert run(["org", "check", "initech"]) == 1
    assert "initech.yaml: file: there is no such file" in capsys.readouterr().err
    monkeypatch.setenv("JUSTAI_ORGS_DIR", str(world.folder / "nowhere"))
    assert run(["org", "check"]) == 1
    assert "no org file in" in capsys.readouterr().err


def test_org_check_tells_of_doors_that_nothing_reads_and_that_accept_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.add_org(WEBHOOK_ORG, custom=["journey_webhooks"])
    assert run(["org", "check"]) == 0
    printed = capsys.readouterr().out
    assert "sources.redshift is observed but read by no class" in printed
    assert "the HTTP door of iterable_webhooks accepts nothing; set api_key," in printed


def test_attribute_writes_the_unified_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from datetime import datetime, timedelta

    at = datetime(2026, 1, 5, 10)  # noqa: DTZ001 - naive times are read as UTC
    sent = {"event_name": ["emailSend"], "event_timestamp": [at], "message_id": ["m"], "template_id": ["501"],
            "campaign_id": ["9001"], "user_id": ["u"]}  # fmt: skip
    pl.DataFrame(sent).write_parquet(tmp_path / "esp.parquet")
    bought = {"event_name": ["purchase"], "event_timestamp": [at + timedelta(hours=1)], "user_id": ["u"]}
    pl.DataFrame(bought).write_parquet(tmp_path / "custom.parquet")
    words = ["attribute", "--esp", str(tmp_path / "esp.parquet"), "--custom", str(tmp_path / "custom.parquet"),
             "--window-hours", "24", "--out", str(tmp_path / "out")]  # fmt: skip
    assert run(words) == 0
    rows = pl.read_parquet(str(tmp_path / "out" / "event_date=2026-01-05" / "part-*.parquet"), hive_partitioning=False)
    assert sorted(rows["event_name"]) == ["emailSend", "purchase"]
    assert set(rows["message_id"]) == {"m"}
    capsys.readouterr()
    assert run(words) == 1, "the folder is not empty"
    said(capsys)


@pytest.mark.slow
def test_the_program_itself_exits_with_these_codes_and_stays_quiet_when_its_reader_goes_away(tmp_path: Path) -> None:
    environment = {**os.environ, "JUSTAI_ORGS_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    program = [sys.executable, "-c", "from justai_assets.cli import main; main()"]

    def done(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*program, *words], env=environment, capture_output=True, text=True, check=False)

    assert done("--version").returncode == 0
    assert done("--help").returncode == 0
    wrong = done("frobnicate")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    failed = done("org", "check")
    assert (failed.returncode, failed.stdout) == (1, "")
    line = " ".join([*(f"'{word}'" for word in program), "--help", "|", "true"])
    piped = subprocess.run(["/bin/sh", "-c", line], env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in piped.stderr


@pytest.mark.parametrize(
    "raised", [RuntimeError("a\nb"), pl.exceptions.PanicException("a Rust panic"), AssertionError()]
)
def test_an_error_that_nobody_foresaw_is_one_line_and_its_traceback_comes_on_request(
    raised: BaseException, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from justai_assets.settings import Settings

    def failing(_: object) -> None:
        raise raised

    monkeypatch.setattr(Settings, "orgs", failing)
    assert run(["materialize", "--org", "acme", *DAYS]) == 1
    text = said(capsys)
    assert f"this should not have happened: {type(raised).__name__}" in text
    assert "JUSTAI_DEBUG=1 shows where" in text
    monkeypatch.setenv("JUSTAI_DEBUG", "1")
    with pytest.raises(type(raised)):
        run(["materialize", "--org", "acme", *DAYS])
