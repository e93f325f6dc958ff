"""What loading the code location costs: every code server, and every run, pays it."""

import json
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
from dagster._core.remote_representation.external_data import RepositorySnap

from justai_assets.dag.marts_assets import GROUP, manifest_path
from justai_assets.dag.served_location import served
from justai_assets.orgs.org_loader import load_orgs

_PARSE = "from justai_assets.dag.marts_assets import parse_project; parse_project()"


def load_cost(orgs_dir: Path) -> dict[str, float]:
    """Seconds to build the location as it is served, marts included, and to make its snapshot; bytes; the CPU of both.

    The dbt project must have been parsed, as an installation does once.
    """
    times = [time.perf_counter()]

    def lap() -> float:
        times.append(time.perf_counter())
        return times[-1] - times[-2]

    repository = served(load_orgs(orgs_dir)).get_repository_def()
    built = lap()
    # What the code server sends to the webserver and the daemon.
    snapshot = dg.serialize_value(RepositorySnap.from_def(repository))
    keys = repository.asset_graph.get_all_asset_keys()
    return {
        "assets": len(keys),
        "marts": sum(key.path[0] == GROUP for key in keys),
        "build": built,
        "snapshot": lap(),
        "bytes": len(snapshot.encode()),
        "cpu": time.process_time(),
    }


if __name__ == "__main__":
    if not manifest_path().is_file():
        # In a process of its own: parsing is no part of loading.
        subprocess.run([sys.executable, "-c", _PARSE], check=True)  # noqa: S603 - fixed program
    sys.stdout.write(json.dumps(load_cost(Path(sys.argv[1]))))
