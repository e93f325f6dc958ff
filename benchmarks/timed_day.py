"""One day of attributed_events and unified_events through Dagster, timed: a process for `justai bench spark`.

`python -m benchmarks.timed_day ORG_FILE LAKE DAY` prints seconds by asset as JSON.
"""

import json
import sys
from pathlib import Path

import dagster as dg

from justai_assets.contract.days import parse_day
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, UNIFIED_EVENTS
from justai_assets.dag.org_assets import org_assets
from justai_assets.dag.org_keys import table_key
from justai_assets.dag.resources import Platform
from justai_assets.orgs.org_loader import load_org


def main(file: str, lake: str, day: str) -> None:
    """Materialize the day and print what each asset took; exit 1 when one failed."""
    org = load_org(Path(file))
    keys = [table_key(org.slug, table) for table in (ATTRIBUTED_EVENTS, UNIFIED_EVENTS)]
    definitions = dg.Definitions(assets=org_assets(org), resources={"platform": Platform(lake_url=lake)})
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=keys, partition_key=str(parse_day(day)), raise_on_error=False
        )
    seconds = {
        event.step_key.partition("__")[2]: event.step_success_data.duration_ms / 1000
        for event in result.all_events
        if event.is_step_success and event.step_key
    }
    sys.stdout.write(json.dumps(seconds) + "\n")
    sys.exit(0 if result.success else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
