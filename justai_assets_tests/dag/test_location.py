"""The code location: it loads from nothing, shows each org's doors and no others, and a broken org beside the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from justai_assets.contract.tables import MESSAGE_OUTCOMES
from justai_assets.dag.location import location
from justai_assets.dag.marts_assets import manifest_path
from justai_assets.orgs.org_loader import load_orgs
from justai_assets.settings import Settings
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World

LOAD = """
import socket, sys
def refused(*_, **__): raise OSError("the network is away")
for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refused)
socket.create_connection = socket.getaddrinfo = refused
sys.addaudithook(lambda event, _: refused() if event in ("socket.connect", "socket.getaddrinfo") else None)
from justai_assets.definitions import defs
found = defs()
found.resolve_implicit_global_asset_job_def() if found.assets else None
print(len(list(found.assets or [])))
heavy = ("dagster_aws", "dagster_dbt", "dagster_databricks", "dbt", "boto3", "botocore", "delta_sharing", "scipy",
         "statsmodels", "pandas", "altair", "pyspark", "moto", "starlette", "granian")
print(",".join(sorted(name for name in heavy if name in sys.modules)))
"""


def loaded(folder: Path, **environment: str) -> list[str]:
    """What loading the definitions prints, in an environment of nothing but these variables."""
    environment = {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        **environment,
    }
    done = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_location_loads_with_an_empty_environment_no_network_and_no_heavy_library(tmp_path: Path) -> None:
    count, heavy = loaded(tmp_path)
    assert int(count) >= 1
    assert heavy == ""
    assert list(tmp_path.iterdir()) == [], "loading wrote something"


def test_the_location_loads_orgs_without_their_secrets_and_roots(world: World, tmp_path: Path) -> None:
    world.add_org(WEBHOOK_ORG)
    world.add_org(UNIFIED_ORG)
    count, heavy = loaded(
        tmp_path, JUSTAI_ORGS_DIR=str(tmp_path / "orgs"), JUSTAI_LANDING="s3://nowhere/x", JUSTAI_LAKE="ftp://?"
    )
    assert int(count) > 10
    # Where the project has been parsed its marts are served too, and they take dbt's libraries; nothing else may come.
    assert set(heavy.split(",")) <= ({"dagster_dbt", "dbt"} if manifest_path().is_file() else set()) | {""}


def keys(world: World) -> set[str]:
    found = location(load_orgs(world.folder / "orgs"))
    return {key.to_user_string() for key in found.resolve_asset_graph().get_all_asset_keys()}


def test_an_org_shows_the_doors_it_has_and_no_others(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    world.add_org(UNIFIED_ORG)
    found = keys(world)
    tables = ("esp_events", "custom_events", "attributed_events", "unified_events", "attribution_metrics")
    assert {f"acme/{name}" for name in (*tables, "iterable_webhooks", "journey_webhooks", "redshift_drop")} <= found
    assert {"globex/databricks_drop", "globex/unified_events", "globex/attribution_metrics"} <= found
    absent = {"acme/chameleon_webhooks", "acme/databricks_drop", "globex/esp_events", "globex/attributed_events"}
    assert not absent & found


def test_an_org_without_custom_events_has_nothing_to_attribute(world: World) -> None:
    world.add_org(WEBHOOK_ORG, custom=[])
    found = keys(world)
    assert "acme/unified_events" in found
    assert not {"acme/custom_events", "acme/attributed_events"} & found


def test_two_locations_with_a_slice_each_share_no_asset(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add_org(WEBHOOK_ORG)
    world.add_org(UNIFIED_ORG)
    found = []
    for slugs in ("acme", "globex"):
        monkeypatch.setenv("JUSTAI_ORGS", slugs)
        graph = location(Settings.from_environment().orgs()).resolve_asset_graph()
        found.append({key.to_user_string() for key in graph.get_all_asset_keys()})
    assert not found[0] & found[1]
    monkeypatch.delenv("JUSTAI_ORGS")
    assert "org_files" in keys(world)


def test_a_broken_org_is_visible_under_its_name_and_the_others_stand(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    for name in ("a.b", "a b", "a_b", "bad"):
        (world.folder / "orgs" / f"{name}.yaml").write_text("slug: [", encoding="utf-8")
    found = location(load_orgs(world.folder / "orgs"))
    graph = found.resolve_asset_graph()
    broken = [key for key in graph.get_all_asset_keys() if key.path[0] == "broken_org_files"]
    assert len(broken) == 4
    assert dg.AssetKey(["acme", "unified_events"]) in graph.get_all_asset_keys()
    (spec,) = [spec for spec in found.resolve_all_asset_specs() if spec.key.path[-1] == "bad"]
    assert "bad.yaml: file: is not valid YAML" in (spec.description or "")


@pytest.mark.parametrize("base", [WEBHOOK_ORG, UNIFIED_ORG], ids=["webhooks", "unified"])
def test_every_table_has_owner_kinds_group_columns_and_a_pool(base: dict, world: World) -> None:
    org = world.add_org(base)
    found = location(load_orgs(world.folder / "orgs"))
    tables = [
        spec
        for spec in found.resolve_all_asset_specs()
        if spec.key.path[0] == org.slug and "dagster/column_schema" in spec.metadata
    ]
    assert len(tables) >= 2
    for spec in tables:
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert spec.description, spec.key
        columns = spec.metadata["dagster/column_schema"].columns
        assert all(column.description for column in columns)


def test_the_columns_of_a_wide_table_come_with_its_materialization(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    key = dg.AssetKey(["acme", MESSAGE_OUTCOMES.name])
    found = location(load_orgs(world.folder / "orgs"))
    job = found.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(asset_selection=[key], partition_key="2026-01-05", instance=instance).success
        event = instance.get_latest_materialization_event(key)
    assert event is not None and event.asset_materialization is not None
    schema = event.asset_materialization.metadata["dagster/column_schema"].value
    assert isinstance(schema, dg.TableSchema)
    assert [one.name for one in schema.columns] == MESSAGE_OUTCOMES.schema.names()


def test_a_slug_of_hyphens_and_digits_is_served(world: World) -> None:
    world.add_org(WEBHOOK_ORG, slug="0-a-1")
    world.add_org(WEBHOOK_ORG, slug="0-a")
    assert {"0-a-1/unified_events", "0-a/unified_events"} <= keys(world)


def test_there_is_no_job_schedule_or_sensor_per_org(world: World) -> None:
    def counts() -> tuple[int, int, int]:
        found = location(load_orgs(world.folder / "orgs"))
        return len(list(found.jobs or [])), len(list(found.schedules or [])), len(list(found.sensors or []))

    world.add_org(WEBHOOK_ORG)
    one = counts()
    for number in range(4):
        world.add_org(WEBHOOK_ORG, slug=f"acme-{number}")
    assert counts() == one
