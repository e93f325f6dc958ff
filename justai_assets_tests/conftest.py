from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from justai_assets.lake.store import Lake
from justai_assets.orgs.org_loader import load_org
from justai_assets.storage import Root
from justai_assets_tests.instances import make_instances_cheap
from justai_assets_tests.world import SALT, World

# Everybody tries the same examples; `make test-random` looks for new ones. A busy machine is no fault of an example, so
# none has a deadline. Both say whether they draw anew: what is not said depends on whether `CI` is set.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("random", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("same")


WORKER_DIED = 70
"""Exit code of a run that lost a worker: what it never ran is not known to pass."""

_DIED = pytest.StashKey[bool]()


class Running:
    """Knows since when each test runs, also in the workers, to name the tests that a stopped run leaves unfinished."""

    def __init__(self) -> None:
        self.since: dict[str, float] = {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.since[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.since.pop(nodeid, None)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for nodeid, began in self.since.items():
            terminalreporter.write_line(f"UNFINISHED after {time.monotonic() - began:.0f} s: {nodeid}")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Running())


def pytest_collection_finish() -> None:
    """What is imported by now stays: looking through it for garbage was a tenth of the suite's seconds."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: one that begins last would run alone, beside a process that has nothing left."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    if error:
        node.config.stash[_DIED] = True


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.stash.get(_DIED, False):
        session.exitstatus = WORKER_DIED


@pytest.fixture(scope="session", autouse=True)
def cheap_instances() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        make_instances_cheap(patch)
        yield


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """A step that is tried again is tried again at once, as often as in a run, not after half a minute."""
    # Not by the fixture `monkeypatch`: asked for here, it would be undone after everything that a test patches itself.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("justai_assets.dag.run_retries.RETRY_SECONDS", 0)
        yield


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty world on disk."""
    return make_world(tmp_path, str(tmp_path / "landing"), str(tmp_path / "lake"), monkeypatch)


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """A moto server that speaks S3 over HTTP, for the whole session."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(moto_url: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A fresh bucket, and the standard AWS variables that point at it."""
    import hashlib

    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    name = "t-" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:20]
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=name)
    return name


@pytest.fixture
def s3_world(tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty world on S3."""
    return make_world(tmp_path, f"s3://{bucket}/landing", f"s3://{bucket}/lake", monkeypatch)


@pytest.fixture(params=["disk", "s3"])
def any_world(request: pytest.FixtureRequest) -> World:
    """An empty world, once on disk and once on S3."""
    found: World = request.getfixturevalue("world" if request.param == "disk" else "s3_world")
    return found


def copied_world(folder: Path, own: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world on disk as it was built in a folder, in a folder of its own: a test may change it."""
    shutil.copytree(folder, own, dirs_exist_ok=True)
    world = make_world(own, str(own / "landing"), str(own / "lake"), monkeypatch)
    for file in (own / "orgs").glob("*.yaml"):
        world.orgs[file.stem] = load_org(file)
    return world


def make_world(folder: Path, landing: str, lake: str, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("JUSTAI_LANDING", landing)
    monkeypatch.setenv("JUSTAI_LAKE", lake)
    monkeypatch.setenv("JUSTAI_ORGS_DIR", str(folder / "orgs"))
    monkeypatch.setenv("ACME_SALT", SALT)
    for name in ("JUSTAI_ORGS", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    if "://" not in landing:
        Path(landing).mkdir(exist_ok=True)  # a landing root that is not there is an error, not an empty one
    return World(folder, Root.parse(landing), Lake(Root.parse(lake)))
