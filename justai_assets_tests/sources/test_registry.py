"""A source that only these tests define appears everywhere, with no other change."""

import ast
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

import justai_assets
from justai_assets.connect.customer import ConnectError, Customer
from justai_assets.connect.kit import kit
from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, CUSTOM_EVENTS
from justai_assets.dag.location import location
from justai_assets.lake.built_days import BuiltDays
from justai_assets.landing.notifications import read_message
from justai_assets.orgs.new_org import Answers
from justai_assets.orgs.new_org import document as org_document
from justai_assets.orgs.org_loader import OrgFileError, Orgs
from justai_assets.quality.doctor.examination import examine
from justai_assets.quality.doctor.sample_file import examine_sample
from justai_assets.quality.org_status import org_doors
from justai_assets.serving.openapi import document
from justai_assets.sources.lineage import org_tables, sources_of, table_of
from justai_assets.sources.registry import (
    SOURCES,
    UnknownSourceError,
    envelopes_of,
    http_sources,
    landing_of,
    source_named,
)
from justai_assets_tests.serving.exchanges import exchange
from justai_assets_tests.serving.service import KEY
from justai_assets_tests.sources.toy import NAME, TOY
from justai_assets_tests.world import WEBHOOK_ORG, World, esp

ORG = {
    **WEBHOOK_ORG,
    "custom": [NAME],
    "sources": {"iterable_webhooks": {}, NAME: {"api_key": "env:ACME_KEY"}},
}
BODY = {"toy_event": "won", "at": "2026-01-05T13:00:00Z", "email": "jane@example.com", "id": "7"}


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, NAME, TOY)


def test_an_org_file_knows_it_once_it_is_registered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OrgFileError, match=f"sources.{NAME}: is not a known key"):
        world.add_org(ORG)
    monkeypatch.setitem(SOURCES, NAME, TOY)
    org = world.add_org(ORG)
    assert org.sources.present() == ("iterable_webhooks", NAME)
    assert (table_of(org, NAME), sources_of(org, CUSTOM_EVENTS)) == (CUSTOM_EVENTS, (NAME,))
    assert org_document(Answers("acme", org.start_date, "iterable_webhooks", (NAME,)))["sources"][NAME] == {
        "api_key": "env:ACME_API_KEY"
    }


@pytest.mark.usefixtures("toy")
def test_dagster_has_its_asset_sensor_and_check(world: World) -> None:
    org = world.add_org(ORG)
    repository = location(Orgs({"acme": org}, {})).get_repository_def()
    key = dg.AssetKey(["acme", "toy_calls"])
    graph = repository.asset_graph
    assert key in graph.external_asset_keys
    assert key in graph.get(dg.AssetKey(["acme", CUSTOM_EVENTS.name])).parent_keys
    assert repository.has_sensor_def("watch_toy_calls")
    assert [check.name for check in graph.asset_check_keys if check.asset_key == key] == ["lands_in_time"]


@pytest.mark.usefixtures("toy")
def test_the_collector_takes_it_and_its_rows_are_attributed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", KEY)
    org = world.add_org(ORG)
    http = http_sources()[NAME]
    assert f"{http.path}/{{org_slug}}" in document()["paths"]
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 12:00:00", messageId="m1")])
    calls = [{"url": f"{http.path}/acme", "json": BODY, "headers": {"x-api-key": key}} for key in ("wrong", KEY)]
    answers, _, _ = exchange(world.folder, calls)
    assert [one.status_code for one in answers] == [401, 202]
    assert world.materialize("2026-01-05", "2026-01-05")
    (row,) = world.table(ATTRIBUTED_EVENTS).to_dicts()
    assert (row["event_name"], row["door"], row["message_id"]) == ("won", NAME, "m1")
    day = Days.parse("2026-01-05", "2026-01-05")
    built = {table.name: BuiltDays.of(world.lake, "acme", table) for table in org_tables(org)}
    complete = {one.door: one.complete for one in org_doors(org, world.landing, world.lake, day, built)}
    assert complete[NAME] == day.last
    found = examine(world.landing, world.lake, org, datetime(2026, 1, 6, tzinfo=UTC))
    assert {"last file", "event names", "identity"} <= {one.check for one in found if one.door == NAME}


@pytest.mark.usefixtures("toy")
def test_doctor_knows_a_sample_of_it_and_connect_prints_its_steps(world: World, tmp_path: Path) -> None:
    org = world.add_org(ORG)
    sample = tmp_path / "sample.json"
    sample.write_text(json.dumps(BODY), encoding="utf-8")
    found = examine_sample(org, sample, datetime(2026, 1, 6, tzinfo=UTC))
    assert {one.door for one in found} == {NAME}
    assert "https://worker.justwords.ai/api/webhook/toy/acme" in kit(NAME, Customer(org, "s3://drops"))
    with pytest.raises(ConnectError, match=f"choose .*{NAME}"):
        kit("no_source", Customer(org, "s3://drops"))


@pytest.mark.usefixtures("toy")
def test_a_notification_names_its_prefix(world: World) -> None:
    root = replace(world.landing, url="s3://drops/landing")
    key = "landing/webhooks/toy/acme/event_date=2026-01-05/0.jsonl.zst"
    message = json.dumps({"Records": [{"s3": {"bucket": {"name": "drops"}, "object": {"key": key}}}]})
    assert {(hint.door, hint.slug) for hint in read_message(message, root) or ()} == {(NAME, "acme")}


def test_a_name_that_is_no_sources_is_an_error_and_never_taken_for_a_drop() -> None:
    for find in (source_named, landing_of, envelopes_of):
        with pytest.raises(UnknownSourceError, match="'nothing' is not a source"):
            find("nothing")
    with pytest.raises(UnknownSourceError, match="redshift lands no JSON envelopes"):
        envelopes_of("redshift")
    with pytest.raises(UnknownSourceError, match="delta_share lands no objects"):
        landing_of("delta_share")


def test_every_source_says_how_its_records_are_read_and_where_they_lie() -> None:
    prefixes = [one.landing.prefix for one in SOURCES.values() if one.landing]
    assert len(prefixes) == len(set(prefixes))
    paths = [http.path for http in http_sources().values()]
    assert len(paths) == len(set(paths))
    for name, one in SOURCES.items():
        assert name == one.name
        assert (one.landing is None) == (one.envelopes is None and one.files is None)
        assert one.http is None or one.envelopes is not None
        assert one.connect is not None or one.settings is None


NAMED_OTHERWISE = {
    "attribution/sql": "names of SQL dialects",
    "orgs/workspace_settings.py": "the engine",
    "commands/databricks_command.py": "the command",
    "contract/tables.py": "the mirror's table",
}
"""Where a text is the name of something else that is spelt as a source is."""


def test_no_module_outside_sources_names_a_source() -> None:
    package = Path(justai_assets.__file__).parent
    wrong = []
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package).as_posix()
        if relative.startswith("sources/") or any(relative.startswith(one) for one in NAMED_OTHERWISE):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in SOURCES
            is_field = isinstance(node, ast.Attribute) and node.attr in SOURCES and node.attr not in PACKAGES
            if is_text or is_field:
                wrong.append(f"{relative}:{node.lineno}")
    assert not wrong


PACKAGES = {"delta_share", "generate", "databricks"}
"""Sources that have the name of a package or of a setting of the org file."""
