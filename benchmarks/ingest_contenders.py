"""Who runs in the ingest benchmark: each prints how many records it was given.

`python -m benchmarks.ingest_contenders NAME LANDING ORGS OUT` runs one in a process of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.webhooks import DAY, SLUG

if TYPE_CHECKING:
    import polars as pl  # when run, each contender loads only what it runs on


def ingest(landing: Path, orgs: Path, out: Path) -> int:
    """Envelopes into the Delta table esp_events, quarantine and ledger beside it: what the asset runs."""
    return _build(landing, orgs, out, "esp_events", "iterable_webhooks")


def ingest_drop(landing: Path, orgs: Path, out: Path) -> int:
    """A warehouse's Parquet drop into the Delta table custom_events."""
    return _build(landing, orgs, out, "custom_events", "redshift")


def scan_ndjson(landing: Path, orgs: Path, out: Path) -> int:  # noqa: ARG001 - contenders are called alike
    """Polars' own reader over the same files, rows counted: it unpacks them and finds the lines, and parses nothing."""
    import polars as pl

    return int(pl.scan_ndjson(_envelopes(landing)).select(pl.len()).collect(engine="streaming").item())


def parse_all(landing: Path, orgs: Path, out: Path) -> int:  # noqa: ARG001 - contenders are called alike
    """The same with every field of every line parsed, the schema inferred."""
    import polars as pl

    return _counted(pl.scan_ndjson(_envelopes(landing)))


def parse_needed(landing: Path, orgs: Path, out: Path) -> int:  # noqa: ARG001 - contenders are called alike
    """The same with the fields that the door reads, and no others."""
    import polars as pl

    from justai_assets.sources.iterable import parse

    schema = {
        "id": pl.String(),
        "received_at": pl.String(),
        "query": pl.Struct({"campaignId": pl.String()}),
        "body": parse.BODY,
    }
    return _counted(pl.scan_ndjson(_envelopes(landing), schema=schema))


def read_needed(landing: Path, orgs: Path, out: Path) -> int:  # noqa: ARG001 - contenders are called alike
    """The same fields by the intake's own reader, alone."""
    from justai_assets.landing.envelopes import read_envelopes
    from justai_assets.sources.iterable import parse

    files = [(path, path.name) for path in _envelopes(landing)]
    return sum(batch.envelopes.height for batch in read_envelopes(files, "iterable_webhooks", parse.BODY))


def _counted(scan: pl.LazyFrame) -> int:
    import polars as pl

    # Every column is looked at: with none asked for, the reader only counts lines.
    looked = scan.select(pl.len().alias("rows"), pl.all().null_count().name.prefix("_"))
    return int(looked.collect(engine="streaming")["rows"].item())


def _envelopes(landing: Path) -> list[Path]:
    from justai_assets.landing.landing_paths import day_prefix

    return sorted((landing / day_prefix("iterable_webhooks", SLUG, DAY)).glob("*.jsonl.zst"))


def _build(landing: Path, orgs: Path, out: Path, table: str, door: str) -> int:
    from justai_assets.contract.days import Days
    from justai_assets.contract.tables import CUSTOM_EVENTS, ESP_EVENTS
    from justai_assets.lake.ledger import RECEIVED
    from justai_assets.lake.store import Lake
    from justai_assets.orgs.org_loader import load_orgs
    from justai_assets.sources.intake_build import build_from_doors
    from justai_assets.storage import Root

    built = {one.name: one for one in (ESP_EVENTS, CUSTOM_EVENTS)}[table]
    org = load_orgs(orgs).get(SLUG)
    lake = Lake(Root.parse(str(out)))
    reports = build_from_doors(org, Root.parse(str(landing)), lake, built, (door,), Days(DAY, DAY))
    return sum(report.records(RECEIVED) for report in reports)


Contender = Callable[[Path, Path, Path], int]
CONTENDERS: Final[dict[str, Contender]] = {
    run.__name__: run for run in (scan_ndjson, parse_needed, parse_all, read_needed, ingest, ingest_drop)
}
FLOOR: Final = "scan_ndjson"


if __name__ == "__main__":
    name, *places = sys.argv[1:]
    landing, orgs, out = map(Path, places)
    sys.stdout.write(f"{CONTENDERS[name](landing, orgs, out)}\n")
    sys.stdout.flush()
    if "justai_assets.landing.decoder" in sys.modules:
        # What the children took counts only once somebody has waited for them.
        sys.modules["justai_assets.landing.decoder"].end_all()
    os._exit(0)  # as in benchmarks/contenders.py
