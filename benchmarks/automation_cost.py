"""What a tick of the automation costs: CPU seconds of this process, and the bytes that its cursor keeps."""

import json
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from justai_assets.dag.location import location
from justai_assets.dag.org_automation import OrgAutomationSensor
from justai_assets.dag.org_keys import landing_key
from justai_assets.orgs.org_loader import load_orgs


def automation_cost(orgs_dir: Path) -> Iterator[dict[str, str | float]]:
    """Tick on an instance of its own: at rest, after a change of one org, after one of all.

    The first tick, which takes the orgs in, is not among them: it comes once.
    """
    logging.getLogger("dagster").setLevel(logging.ERROR)
    orgs = load_orgs(orgs_dir)
    slugs = sorted(orgs.by_slug)
    day = str(datetime.now(UTC).date() - timedelta(days=5))
    repository = location(orgs).get_repository_def()
    sensor = repository.get_sensor_def("rebuild_changed_days")
    assert isinstance(sensor, OrgAutomationSensor)
    cursor: str | None = None
    with TemporaryDirectory(prefix="justai-bench-") as home, dg.DagsterInstance.local_temp(home) as instance:

        def tick(kind: str, changed: Iterable[str]) -> dict[str, str | float]:
            nonlocal cursor
            for slug in changed:
                key = landing_key(slug, orgs.by_slug[slug].engagement)
                instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=day))
            context = dg.build_sensor_context(instance, cursor=cursor, repository_def=repository)
            context.log.setLevel(logging.ERROR)
            began = time.process_time()
            done = sensor.evaluate_tick(context)
            cpu = time.process_time() - began
            cursor = done.cursor
            return {"kind": kind, "cpu": cpu, "requests": len(done.run_requests or ()), "bytes": len(cursor or "")}

        tick("everything new", ())
        yield tick("nothing new", ())
        yield tick("one org changed", slugs[:1])
        yield tick("nothing new", ())
        yield tick("all orgs changed", slugs)


if __name__ == "__main__":
    for found in automation_cost(Path(sys.argv[1])):
        sys.stdout.write(f"{json.dumps(found)}\n")
