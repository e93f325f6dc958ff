"""The Spark engine from the asset, in a Spark on this machine, beside Polars."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, ATTRIBUTION_METRICS
from justai_assets_tests.conftest import make_world
from justai_assets_tests.dag.databricks.world import (
    DAYS,
    FIRST,
    LAST,
    POLARS_ORG,
    SPARK_ORG,
    TABLES,
    day_metadata,
    land,
    rows_and_fates,
    run,
    upstream,
)
from justai_assets_tests.world import World


def made_by_polars(folder: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance) -> World:
    folder.mkdir()
    found = make_world(folder, str(folder / "landing"), str(folder / "lake"), monkeypatch)
    found.add_org(POLARS_ORG)
    land(found)
    upstream(found)
    assert run(found, instance).success
    return found


@pytest.mark.spark
@pytest.mark.slow
def test_spark_gives_the_rows_fates_and_metadata_of_polars_and_twice_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dg.DagsterInstance.ephemeral() as polars_instance, dg.DagsterInstance.ephemeral() as instance:
        twin = made_by_polars(tmp_path / "polars", monkeypatch, polars_instance)
        expected = rows_and_fates(twin)
        assert expected["attributed_events"].height == 8
        reasons = set(expected["attributed_events"]["reason"])
        assert reasons == {None, "no_identity", "no_send", "outside_window"}

        folder = tmp_path / "spark"
        folder.mkdir()
        world = make_world(folder, str(folder / "landing"), str(folder / "lake"), monkeypatch)
        monkeypatch.setenv("JUSTAI_DATABRICKS", "local")
        world.add_org(SPARK_ORG)
        land(world)
        upstream(world)
        # The second run is what a retry is: the same job over a day that is already there.
        for days, tables in ((DAYS, TABLES), (Days(LAST, LAST), (ATTRIBUTED_EVENTS,))):
            result = run(world, instance, days, tables)
            assert result.success
            assert all(check.passed for check in result.get_asset_check_evaluations())
            found = rows_and_fates(world)
            for name, frame in expected.items():
                assert found[name].equals(frame), name
            for table in tables:
                of_day = day_metadata(instance, table)
                wanted = day_metadata(polars_instance, table)
                assert of_day.keys() == {str(day) for day in DAYS}
                for day in days:
                    for key in ("dagster/partition_row_count", "received", "accepted", "attributed", "reasons"):
                        assert of_day[str(day)].get(key) == wanted[str(day)].get(key), (table.name, day, key)
                    assert of_day[str(day)].keys() == wanted[str(day)].keys()
        versions = world.lake.open("acme", ATTRIBUTED_EVENTS)
        assert versions is not None
        noted = [commit.get("days") for commit in versions.history()]
        assert noted[:2] == [str(LAST), str(DAYS)], "one commit a range, noted as the Polars engine notes it"
        assert world.materialize(str(FIRST), str(LAST), "attribution_metrics")
        assert world.table(ATTRIBUTION_METRICS).height > 0
