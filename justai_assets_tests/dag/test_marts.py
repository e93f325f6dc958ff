"""The marts in the asset graph: there when the project is parsed, joined to every org's tables."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from justai_assets.dag.location import location
from justai_assets.dag.marts import PROJECT, marts_defs, parse_project
from justai_assets.orgs.load import Orgs
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def manifest() -> Path:
    """The project, parsed in an empty environment."""
    code = "from justai_assets.dag.marts import parse_project; parse_project()"
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
    parents = {key.to_user_string() for key in graph.get(dg.AssetKey(["marts", "fct_message_funnel"])).parent_keys}
    assert parents == {
        *("acme/unified_events", "acme/esp_events", "acme/custom_events", "acme/attributed_events"),
        "globex/unified_events",
    }
    checks = {key.name for key in graph.asset_check_keys if key.asset_key in marts}
    assert {
        "conversions_add_up",
        "records_are_conserved",
        "one_row_per_fct_message_funnel_event_date__org__message_id",
    } <= checks
    for key in graph.asset_check_keys:
        assert "Mend: " in (graph.get(key).description or ""), key


def test_a_changed_day_asks_for_the_send_days_it_can_change_once_and_at_most_hourly(
    world: World, manifest: Path
) -> None:
    org = world.add_org(WEBHOOK_ORG)
    definitions = dg.Definitions.merge(location(Orgs({"acme": org}, {})), marts_defs([org], manifest))
    wanted = dg.AssetSelection.groups("marts")
    at = datetime(2026, 1, 10, 12, 30, tzinfo=UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        cursor = None

        def requested(minutes: int, *changed: dg.AssetKey, day: str = "2026-01-08") -> dict[str, set[str]]:
            nonlocal cursor
            for key in changed:
                instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=day))
            moment = at + timedelta(minutes=minutes)
            found = dg.evaluate_automation_conditions(
                definitions, instance, asset_selection=wanted, cursor=cursor, evaluation_time=moment
            )
            cursor = found.cursor
            asked: dict[str, set[str]] = {}
            for one in found.results:
                if one.true_subset.size:
                    asked[one.key.path[-1]] = set(one.true_subset.expensively_compute_partition_keys())
            return asked

        requested(0)
        assert requested(5, dg.AssetKey(["acme", "unified_events"])) == {}
        # The three days before, which it followed; the two after that exist, whose sends it may make repetitions.
        days = {"2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08", "2026-01-09", "2026-01-10"}
        asked = requested(31)
        assert set(asked) >= {"fct_message_funnel", "fct_campaign_daily", "fct_template_daily", "rpt_org_health"}
        assert all(keys == days for keys in asked.values())
        built = [dg.AssetKey(["marts", name]) for name in asked]
        for day in sorted(days):
            requested(32, *built, day=day)
        assert requested(95) == {}, "what the run itself built is no reason for another one"


def test_loading_the_location_imports_neither_dbt_nor_drawing(tmp_path: Path) -> None:
    code = (
        "import sys, justai_assets.definitions as d; d.defs();"
        "print(','.join(n for n in ('dbt', 'dagster_dbt', 'altair', 'scipy', 'jinja2.sandbox') if n in sys.modules))"
    )
    environment = {"PYTHONPATH": str(PROJECT.parent), "JUSTAI_ORGS_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
