"""The marts in the asset graph: there when the project is parsed, joined to every org's tables."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from justai_assets.contract.days import Days
from justai_assets.dag.failed_days_check import failed_by_org
from justai_assets.dag.headless import build_marts
from justai_assets.dag.location import location
from justai_assets.dag.marts_assets import PROJECT, TABLES, marts_defs, parse_project
from justai_assets.dag.marts_sensor import TAG, marts_sensor, weeks
from justai_assets.orgs.org_loader import Orgs
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def manifest() -> Path:
    """The project, parsed in an empty environment."""
    code = "from justai_assets.dag.marts_assets import parse_project; parse_project()"
    environment = {"PYTHONPATH": str(PROJECT.parent), "HOME": str(PROJECT.parent), "NO_PROXY": "*"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=PROJECT.parent)
    found = PROJECT / "target" / "manifest.json"
    assert found.is_file()
    return found


def test_without_a_parsed_project_there_are_no_marts_and_no_error(world: World, tmp_path: Path) -> None:
    org = world.add_org(WEBHOOK_ORG)
    assert not list(marts_defs([org], tmp_path / "target" / "manifest.json").assets or [])
    assert not list(marts_defs([], PROJECT / "dbt_project.yml").assets or [])


def test_a_project_that_cannot_be_parsed_says_so(tmp_path: Path) -> None:
    from justai_assets.contract.errors import JustAIError

    with pytest.raises(JustAIError, match="cannot be parsed"):
        parse_project(tmp_path)


def test_the_marts_hang_on_the_tables_of_every_org(world: World, manifest: Path) -> None:
    orgs = {"acme": world.add_org(WEBHOOK_ORG), "globex": world.add_org(UNIFIED_ORG)}
    definitions = dg.Definitions.merge(location(Orgs(orgs, {})), marts_defs(list(orgs.values()), manifest))
    graph = definitions.resolve_asset_graph()
    marts = {key for key in graph.get_all_asset_keys() if key.path[0] == "marts"}
    assert {key.path[-1] for key in marts} == {
        *("dim_template", "fct_message_funnel", "fct_campaign_daily", "fct_template_daily", "fct_event_daily"),
        *("rpt_org_health", "rpt_undated"),
    }
    assert graph.get(dg.AssetKey(["marts", "fct_message_funnel"])).parent_keys == {TABLES}
    both = {f"{slug}/{table}" for slug in orgs for table in ("attribution_metrics", "message_outcomes")}
    parents = {key.to_user_string() for key in graph.get(TABLES).parent_keys}
    assert parents == {*both, "acme/esp_events", "acme/custom_events", "acme/attributed_events"}
    checks = {key.name for key in graph.asset_check_keys if key.asset_key in marts}
    assert {
        "conversions_add_up",
        "records_are_conserved",
        "one_row_per_fct_message_funnel_send_date__org__message_id",
    } <= checks
    for key in graph.asset_check_keys:
        assert "Mend: " in (graph.get(key).description or ""), key


def test_a_changed_day_asks_for_the_send_days_it_can_change_once_and_at_most_hourly(
    world: World, manifest: Path
) -> None:
    org = world.add_org(WEBHOOK_ORG)
    definitions = dg.Definitions.merge(location(Orgs({"acme": org}, {})), marts_defs([org], manifest))
    graph = definitions.resolve_asset_graph()
    marts = {key for key in graph.get_all_asset_keys() if key.path[0] == "marts"}
    assert not any(graph.get(key).automation_condition for key in marts), (
        "no tick evaluates every org's tables for them"
    )
    at = datetime(2026, 1, 10, 12, 30, tzinfo=UTC)
    minutes = 0
    sensor = marts_sensor([org], sorted(marts), 7, now=lambda: at + timedelta(minutes=minutes))
    with dg.DagsterInstance.ephemeral() as instance:
        cursor = None

        def requested(*changed: dg.AssetKey, day: str = "2026-01-08") -> list[tuple[str, str]]:
            nonlocal cursor
            for key in changed:
                instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=day))
            found = sensor.evaluate_tick(dg.build_sensor_context(instance, cursor=cursor))
            cursor = found.cursor
            assert all(set(one.asset_selection or ()) == marts for one in found.run_requests or ())
            name = "dagster/asset_partition_range_"
            return [(one.tags[f"{name}start"], one.tags[f"{name}end"]) for one in found.run_requests or ()]

        outcomes = dg.AssetKey(["acme", "message_outcomes"])
        assert requested(outcomes) == [], "what was there before is nobody's change"
        assert requested(dg.AssetKey(["acme", "unified_events"])) == [], "no mart reads it"
        assert requested(outcomes) == [("2026-01-08", "2026-01-08")]
        assert requested(*marts) == [], "what the run itself built is no reason for another one"
        minutes = 59
        assert requested(dg.AssetKey(["acme", "custom_events"]), day="2026-01-02") == []
        assert requested(dg.AssetKey(["acme", "esp_events"]), day="2026-01-09") == []
        minutes = 61
        run = create_run_for_test(instance, tags=TAG, status=dg.DagsterRunStatus.STARTED)
        assert requested() == [], "a refresh is under way"
        instance.report_run_failed(run)
        assert requested() == [("2026-01-02", "2026-01-02"), ("2026-01-09", "2026-01-09")]
        assert requested() == []


def test_a_build_that_fails_publishes_nothing_and_reports_nothing_as_built(
    world: World, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = world.add_org(WEBHOOK_ORG)
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00", messageId="m1")])
    assert world.materialize("2026-01-05", "2026-01-05")
    marts = tmp_path / "marts" / "marts.duckdb"
    monkeypatch.setenv("JUSTAI_MARTS", str(marts))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    day = Days.parse("2026-01-05", "2026-01-05")
    assert build_marts([org], day)
    before = marts.read_bytes()
    with dg.DagsterInstance.get() as instance:
        key = dg.AssetKey(["marts", "fct_message_funnel"])
        assert instance.get_materialized_partitions(key) == {"2026-01-05"}
        monkeypatch.setenv("JUSTAI_MARTS_MEMORY", "nothing")
        assert not build_marts([org], Days.parse("2026-01-05", "2026-01-06"))
        assert instance.get_materialized_partitions(key) == {"2026-01-05"}
        today = datetime.now(UTC).date()
        assert failed_by_org([org], today=today)["marts"]["fct_message_funnel"] == (day.first, day.first + timedelta(1))
    assert marts.read_bytes() == before
    assert os.environ["JUSTAI_MARTS"] == str(marts)


def test_many_days_are_asked_for_in_weeks() -> None:
    days = set(Days.parse("2026-01-01", "2026-01-16")) | {date(2026, 3, 1)}
    assert [str(one.first) for one in weeks(days, 7)] == ["2026-01-01", "2026-01-08", "2026-01-15", "2026-03-01"]
    assert {day for one in weeks(days, 7) for day in one} == days


def test_loading_the_location_imports_neither_dbt_nor_drawing(tmp_path: Path) -> None:
    code = (
        "import sys, justai_assets.definitions as d; d.defs();"
        "print(','.join(n for n in ('dbt', 'dagster_dbt', 'altair', 'scipy', 'jinja2.sandbox') if n in sys.modules))"
    )
    environment = {"PYTHONPATH": str(PROJECT.parent), "JUSTAI_ORGS_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
