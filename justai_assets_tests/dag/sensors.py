"""The sources' sensors as Dagster evaluates them, for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl

from justai_assets.dag.location import location
from justai_assets.dag.resources import Platform
from justai_assets.orgs.org_loader import Orgs
from justai_assets_tests.world import World

YESTERDAY = str(datetime.now(UTC).date() - timedelta(days=1))
PURCHASE = pl.DataFrame(
    [(datetime.now(UTC) - timedelta(days=1), "signup", "u-1")],
    schema={"event_timestamp": pl.Datetime("us", "UTC"), "event_name": pl.String, "user_id_or_email": pl.String},
    orient="row",
)


class Sensors:
    """The sensors of a world's location, with their cursors."""

    def __init__(self, world: World) -> None:
        self.definitions = location(Orgs(world.orgs, {}))
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursors: dict[str, str | None] = {}

    def tick(self, name: str, *, is_crash: bool = False) -> dg.SensorResult:
        sensor = self.definitions.get_repository_def().get_sensor_def(name)
        context = dg.build_sensor_context(
            self.instance,
            cursor=self.cursors.get(name),
            definitions=self.definitions,
            sensor_name=name,
            resources={"platform": Platform()},
        )
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        if not is_crash:
            self.cursors[name] = result.cursor
        return result


def names(result: dg.SensorResult) -> list[tuple[str, str | None]]:
    return [("/".join(event.asset_key.path), event.partition) for event in result.asset_events or ()]
