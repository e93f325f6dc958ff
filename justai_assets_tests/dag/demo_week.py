"""The demo's orgs over three landed days, and the definitions that Dagster would load for them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from unittest import mock

import dagster as dg

from justai_assets.contract.days import Days
from justai_assets.dag.location import location
from justai_assets.dag.partitions import range_tags
from justai_assets.demo.demo_home import DemoPlace
from justai_assets.demo.demo_week import land_week
from justai_assets.orgs.org_model import Org
from justai_assets.settings import Settings
from justai_assets.storage import Root

DAYS = Days(date(2026, 1, 5), date(2026, 1, 7))
TABLES = (
    "esp_events",
    "custom_events",
    "attributed_events",
    "unified_events",
    "attribution_metrics",
    "served_copies",
    "message_outcomes",
    "copy_daily",
)
"""Those of acme, whose events come by webhooks."""


@dataclass(frozen=True)
class Week:
    """Landed days, and runs over them."""

    place: DemoPlace
    definitions: dg.Definitions

    @property
    def landing(self) -> Root:
        return Root.parse(str(self.place.landing))

    @property
    def lake(self) -> Path:
        return self.place.lake

    def org(self, slug: str) -> Org:
        return Settings.from_environment().orgs().get(slug)

    def run(
        self, instance: dg.DagsterInstance, keys: Iterable[str], days: Days = DAYS, slug: str = "acme"
    ) -> dg.ExecuteInProcessResult:
        """One run over a day or a range, as the daemon would launch it; a failure is in the result."""
        job = self.definitions.resolve_implicit_global_asset_job_def()
        selection = [dg.AssetKey([slug, key]) for key in keys]
        if len(days) == 1:
            return job.execute_in_process(
                instance=instance,
                asset_selection=selection,
                partition_key=str(days.first),
                tags={"org": slug},
                raise_on_error=False,
            )
        tags = {"org": slug, **range_tags(days)}
        return job.execute_in_process(instance=instance, asset_selection=selection, tags=tags, raise_on_error=False)


@contextmanager
def landed_week(home: Path, *, sends: int = 40, days: Days = DAYS) -> Iterator[Week]:
    """Land the demo and point the environment at it, for as long as the block lasts."""
    place = DemoPlace(home)
    place.fresh()
    # Without retries: a step that is meant to fail must not wait for its third attempt.
    no_retry = mock.patch("justai_assets.dag.run_retries.RETRIES", 0)
    with mock.patch.dict(os.environ, place.environment()), no_retry:
        land_week(place, days, sends_a_day=sends)
        yield Week(place, location(Settings.from_environment().orgs()))
