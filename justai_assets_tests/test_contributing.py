"""The recipes of CONTRIBUTING are followed: the files they name are there, and the code they show does what they say."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

import polars as pl
import pytest

from justai_assets.cli import run
from justai_assets.contract import events, table
from justai_assets.contract.events import Reaction
from justai_assets.contract.table import STRING, Column
from justai_assets.sources.journey.spec import JOURNEY
from justai_assets.sources.lineage import landing_sources
from justai_assets.sources.registry import SOURCES
from justai_assets.sources.source import ConnectText
from justai_assets_tests.world import WEBHOOK_ORG, World

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def recipe(what: str) -> tuple[str, str]:
    """The prose of a recipe, and the code that it shows."""
    found = re.search(rf"^\*\*Add a {what}\*\*(.*?)^(````?)[a-z]+\n(.*?)^\2$", TEXT, re.MULTILINE | re.DOTALL)
    assert found, what
    return found[1], found[3]


@pytest.mark.parametrize("what", ["source", "metric", "column"])
def test_a_recipe_has_ten_lines_and_names_files_that_exist(what: str) -> None:
    prose, _ = recipe(what)
    assert len(prose.strip().splitlines()) <= 10
    named = re.findall(r"`(justai_assets/[\w/.]+\w)`", prose)
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_a_source_that_follows_the_recipe_is_read_and_connected(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, template = recipe("source")
    package = tmp_path / "toy_source"
    package.mkdir()
    (package / "connect.md.j2").write_text(template, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert JOURNEY.http is not None
    assert JOURNEY.landing is not None
    toy = dataclasses.replace(
        JOURNEY,
        name="toy_webhooks",
        landing=dataclasses.replace(JOURNEY.landing, prefix="webhooks/toy", asset="toy_webhooks"),
        http=dataclasses.replace(JOURNEY.http, path="/api/webhook/toy"),
        connect=ConnectText("toy_source"),
    )
    monkeypatch.setitem(SOURCES, toy.name, toy)
    section = {"api_key": "env:ACME_API_KEY", "events": {"7": "signup"}}
    org = world.add_org(
        WEBHOOK_ORG, custom=["toy_webhooks"], sources={"iterable_webhooks": {}, "toy_webhooks": section}
    )
    assert "toy_webhooks" in landing_sources(org)
    assert run(["connect", "toy_webhooks", "--org", "acme"]) == 0
    assert capsys.readouterr().out == (
        "# Connect toy_webhooks for acme\n\n## 1. Create a webhook\n\nIt posts to this address:\n\n"
        "```url\nhttps://worker.justwords.ai/api/webhook/toy/acme\n```\n"
    )
    sys.modules.pop("toy_source", None)


def test_a_metric_that_follows_the_recipe_is_a_reaction_with_label_and_direction() -> None:
    _, code = recipe("metric")
    reactions = dict(events.REACTIONS)
    exec(code, {"REACTIONS": reactions, "Reaction": Reaction})
    (added,) = reactions.keys() - events.REACTIONS.keys()
    one = reactions[added]
    assert one.is_metric
    assert one.events <= events.ENGAGEMENT
    assert not one.events & {name for other in events.REACTIONS.values() for name in other.events}


def test_a_column_that_follows_the_recipe_may_be_null() -> None:
    _, code = recipe("column")
    column = eval(code, {"Column": Column, "STRING": STRING})
    assert isinstance(column, table.Column)
    assert column.nullable
    assert column.dtype == pl.String()
