"""A small world for tests: one org, its landing zone and its lake, on disk or on S3, run through real Dagster."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import yaml
import zstandard

from justai_assets.contract.days import Days
from justai_assets.contract.tables import Table
from justai_assets.lake.store import Lake
from justai_assets.landing.event_id import event_id
from justai_assets.landing.landing_paths import day_prefix
from justai_assets.orgs.org_loader import load_org
from justai_assets.orgs.org_model import Org
from justai_assets.storage import Root

TODAY = date(2026, 2, 1)
SALT = "a-salt-that-only-tests-know"

WEBHOOK_ORG: dict[str, Any] = {
    "slug": "acme",
    "start_date": date(2026, 1, 1),
    "pseudonym_salt": "env:ACME_SALT",
    "engagement": "iterable_webhooks",
    "custom": ["journey_webhooks", "redshift"],
    "sources": {
        "iterable_webhooks": {},
        "journey_webhooks": {"events": {"290146": "purchase"}},
        "redshift": {"content": "custom_events"},
    },
}
UNIFIED_ORG: dict[str, Any] = {
    "slug": "globex",
    "start_date": date(2026, 1, 1),
    "pseudonym_salt": "env:ACME_SALT",
    "engagement": "databricks",
    "sources": {"databricks": {"content": "unified_events"}},
}


@dataclass
class World:
    """Landing, lake and org files below one folder (or two S3 URLs)."""

    folder: Path
    landing: Root
    lake: Lake
    orgs: dict[str, Org] = field(default_factory=dict)

    def add_org(self, base: dict[str, Any], **changes: Any) -> Org:
        """Write an org file and load it."""
        content = {**base, **changes}
        path = self.folder / "orgs" / f"{content['slug']}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        self.orgs[content["slug"]] = load_org(path)
        return self.orgs[content["slug"]]

    def land(self, door: str, org: str, day: date | str | None, lines: Iterable[str], name: str = "0000") -> str:
        """Land lines of a webhook door."""
        key = f"{day_prefix(door, org, as_day(day))}/{name}.jsonl.zst"
        self.landing.write(key, zstandard.compress("".join(f"{line}\n" for line in lines).encode()))
        return key

    def drop(self, door: str, org: str, day: date | str | None, frame: pl.DataFrame, name: str = "0000_part_00") -> str:
        """Land a Parquet file of a warehouse door."""
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        key = f"{day_prefix(door, org, as_day(day))}/{name}.parquet"
        self.landing.write(key, buffer.getvalue())
        return key

    def materialize(self, first: str, last: str, *tables: str, org: str = "acme", accept_empty: bool = False) -> bool:
        """Run the real assets and checks over days; whether all succeeded."""
        from justai_assets.dag.headless import materialize_days

        return materialize_days(self.orgs[org], Days.parse(first, last), tables, today=TODAY, accept_empty=accept_empty)

    def table(self, table: Table, org: str = "acme") -> pl.DataFrame:
        """All rows of a table, sorted."""
        found = self.lake.scan(org, table).collect()
        return found.sort(found.columns, nulls_last=True)


def as_day(day: date | str | None) -> date | None:
    return date.fromisoformat(day) if isinstance(day, str) else day


def envelope(body: dict[str, Any], received_at: str = "2026-01-05T12:00:00Z", **more: Any) -> str:
    """A landing line, as the writer makes it."""
    return json.dumps(
        {"id": event_id("iterable_webhooks", body, ""), "received_at": received_at, "query": {}, "body": body, **more}
    )


def esp(name: str, at: str, email: str | None = "jane@example.com", **fields: Any) -> str:
    """An Iterable event as a landing line; `user_id` goes beside the email, everything else into dataFields."""
    user_id = fields.pop("user_id", None)
    body: dict[str, Any] = {"eventName": name, "dataFields": {"createdAt": f"{at} +00:00", **fields}}
    if email is not None:
        body["email"] = email
    if user_id is not None:
        body["userId"] = user_id
    return envelope(body)


def journey(at: str, email: str = "jane@example.com", workflow: str = "290146") -> str:
    """A Journey webhook as a landing line, received at `at`."""
    body = {"email": email, "workflowId": workflow}
    identity = event_id("journey_webhooks", body, at)
    return json.dumps({"id": identity, "received_at": at.replace(" ", "T") + "Z", "query": {}, "body": body})
