"""A commit whose answer is lost is made once, and every reader sees its rows once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime

import boto3
import polars as pl
import pytest

from justai_assets.contract.days import Days
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.lake.store import Lake
from justai_assets.storage import Root
from justai_assets_tests.lake.lossy_store import lossy

DAY = date(2026, 1, 5)
ONE = Days(DAY, DAY)


class Losing:
    """Loses the answer to the next commits of a table, as many as it is told."""

    def __init__(self) -> None:
        self.left = 0
        self.lost: list[str] = []

    def __call__(self, method: str, path: str) -> bool:
        if method == "PUT" and "/_delta_log/" in path and path.split("?")[0].endswith(".json") and self.left:
            self.left -= 1
            self.lost.append(path)
            return True
        return False


@pytest.fixture
def losing(bucket: str, moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Losing]:
    losing = Losing()
    with lossy(moto_url, losing, []) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield losing


def replace(lake: Lake, names: tuple[str, ...]) -> None:
    with lake.replacing("acme", UNIFIED_EVENTS, ONE) as writer:
        if names:
            at = datetime(2026, 1, 5, 12, tzinfo=UTC)
            rows = [(name, at, DAY, "m", None, None) for name in names]
            writer.write(DAY, pl.DataFrame(rows, schema=UNIFIED_EVENTS.schema, orient="row"))


def log_of(bucket: str, moto_url: str) -> list[list[dict]]:
    """The actions of every version, read from the JSON files themselves."""
    s3 = boto3.client("s3", region_name="us-east-1", endpoint_url=moto_url)
    prefix = "lake/acme/unified_events/_delta_log/"
    keys = sorted(one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"])
    bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys if key.endswith(".json")]
    return [[json.loads(line) for line in body.splitlines()] for body in bodies]


def rows_by_the_protocol(bucket: str, moto_url: str) -> list[str]:
    """The rows of the newest version: the files that the log adds and does not remove, as its protocol says.

    Within a version the order of the actions means nothing, so that one path must not be both added and removed.
    """
    live: set[str] = set()
    for actions in log_of(bucket, moto_url):
        added = {one["add"]["path"] for one in actions if "add" in one}
        removed = {one["remove"]["path"] for one in actions if "remove" in one}
        assert not added & removed, "one version adds and removes the same file"
        live = (live - removed) | added
    s3 = boto3.client("s3", region_name="us-east-1", endpoint_url=moto_url)
    frames = [
        pl.read_parquet(s3.get_object(Bucket=bucket, Key=f"lake/acme/unified_events/{path}")["Body"].read())
        for path in sorted(live)
    ]
    return sorted(name for frame in frames for name in frame["event_name"])


@pytest.mark.parametrize("names", [("new", "new"), ()], ids=["rows", "an empty day"])
@pytest.mark.parametrize("lost", [1, 2])
def test_a_commit_whose_answer_is_lost_is_made_once(
    names: tuple[str, ...], lost: int, losing: Losing, bucket: str, moto_url: str
) -> None:
    lake = Lake(Root.parse(f"s3://{bucket}/lake"))
    replace(lake, ("old",))
    versions = len(log_of(bucket, moto_url))
    losing.left = lost
    replace(lake, names)
    assert len(losing.lost) == lost, "the proxy did not lose what it should"
    losing.left = 0
    assert rows_by_the_protocol(bucket, moto_url) == sorted(names)
    assert sorted(lake.scan("acme", UNIFIED_EVENTS).collect()["event_name"]) == sorted(names)
    # A commit of no files, which removes what is there, may be made twice.
    assert len(log_of(bucket, moto_url)) == versions + 1 or not names
