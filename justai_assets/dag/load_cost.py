"""What loading the code location costs: every code server, and every run, pays it."""

import json
import sys
import time
from pathlib import Path

import dagster as dg
from dagster._core.remote_representation.external_data import RepositorySnap

from justai_assets.dag.location import location
from justai_assets.orgs.load import load_orgs


def load_cost(orgs_dir: Path) -> dict[str, float]:
    """Seconds to read the org files, to build the definitions, to make the snapshot; its bytes; the process's CPU."""
    times = [time.perf_counter()]

    def lap() -> float:
        times.append(time.perf_counter())
        return times[-1] - times[-2]

    orgs = load_orgs(orgs_dir)
    read = lap()
    repository = location(orgs).get_repository_def()
    built = lap()
    # What the code server sends to the webserver and the daemon.
    snapshot = dg.serialize_value(RepositorySnap.from_def(repository))
    return {
        "orgs": len(orgs.by_slug),
        "assets": len(repository.asset_graph.get_all_asset_keys()),
        "read": read,
        "build": built,
        "snapshot": lap(),
        "bytes": len(snapshot.encode()),
        "cpu": time.process_time(),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(load_cost(Path(sys.argv[1]))))
