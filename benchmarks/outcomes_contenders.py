"""Who runs in `justai bench outcomes`, over the same tables of the same lake.

`python -m benchmarks.outcomes_contenders NAME FOLDER DAY` runs one in a process of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from justai_assets.contract.days import Days

if TYPE_CHECKING:
    from justai_assets.lake.store import Lake
    from justai_assets.orgs.org_model import Org

_ORG: Final = """\
slug: bench
start_date: 2026-01-01
pseudonym_salt: env:BENCH_SALT
engagement: iterable_webhooks
custom: [redshift]
sources:
  iterable_webhooks: {}
  redshift: {content: custom_events}
"""


def place(folder: Path) -> tuple[Org, Lake]:
    """The org and the lake of a folder; the org's file is written if need be."""
    import os

    from justai_assets.lake.store import Lake
    from justai_assets.orgs.org_loader import load_org
    from justai_assets.storage import Root

    os.environ.setdefault("BENCH_SALT", "a salt for made-up people only: 32 bytes")
    file = folder / "bench.yaml"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(_ORG, encoding="utf-8")
    return load_org(file), Lake(Root.parse(str(folder / "lake")))


def message_outcomes(folder: Path, day: date) -> None:
    """The day of message_outcomes as the asset builds it."""
    from justai_assets.events.message_outcomes import build_message_outcomes

    build_message_outcomes(*place(folder), Days(day, day))


def attribution(folder: Path, day: date) -> None:
    """The day of attributed_events as the asset builds it."""
    from justai_assets.attribution.build import build_attributed

    build_attributed(*place(folder), Days(day, day))


def duckdb_join(folder: Path, day: date) -> None:
    """What message_outcomes computes, but for `person` and the copy, as one query of DuckDB over the same files."""
    import duckdb

    from benchmarks.messages import days_around
    from justai_assets.contract.tables import ATTRIBUTED_EVENTS, ESP_EVENTS
    from justai_assets.events.event_stream import send_names

    org, lake = place(folder)
    around = days_around(day)
    files = {}
    for name, table, days in (
        ("sends", ESP_EVENTS, around),
        ("engagement", ESP_EVENTS, Days(day, around.last)),
        ("custom", ATTRIBUTED_EVENTS, Days(day, around.last)),
    ):
        opened = lake.open(org.slug, table)
        uris = opened.file_uris([("event_date", "in", [str(one) for one in days])]) if opened else []
        listed = ", ".join(f"'{uri}'" for uri in uris)
        files[name] = f"read_parquet([{listed}], hive_partitioning = true)"
    names = ", ".join(f"'{name}'" for name in send_names(org))
    query = _QUERY.format(day=day, names=names, **files)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET temp_directory = '{folder / 'duckdb'}'")
        connection.execute(f"COPY ({query}) TO '{folder / 'duckdb_join.parquet'}' (FORMAT parquet, COMPRESSION zstd)")


_QUERY: Final = """
WITH sent AS (
    SELECT message_id, min({{'at': event_timestamp, 'template': template_id, 'campaign': campaign_id,
                              'known': is_machine IS NOT NULL}}) AS first
    FROM {sends} s
    WHERE event_date = DATE '{day}' AND event_name IN ({names}) AND message_id IS NOT NULL
    GROUP BY message_id
), firsts AS (
    SELECT message_id, first.at AS sent_at, first.template AS template_id, first.campaign AS campaign_id,
           first.known AS is_machine_known
    FROM sent
    WHERE message_id NOT IN (
        SELECT message_id FROM {sends} e
        WHERE event_date < DATE '{day}' AND event_name IN ({names}) AND message_id IS NOT NULL
    )
), engaged AS (
    SELECT f.message_id,
        count(*) FILTER (event_name IN ({names})) AS sends,
        min(event_timestamp) FILTER (event_name = 'emailOpen' AND NOT is_machine) AS first_open,
        min(event_timestamp) FILTER (event_name = 'emailOpen' AND is_machine) AS first_machine_open,
        min(event_timestamp) FILTER (event_name = 'emailClick' AND NOT is_machine) AS first_click,
        min(event_timestamp) FILTER (event_name = 'emailClick' AND is_machine) AS first_machine_click,
        min(event_timestamp) FILTER (event_name = 'emailUnsubscribe') AS first_unsubscribe,
        min(event_timestamp) FILTER (event_name = 'emailBounce') AS first_bounce,
        count(*) FILTER (event_name = 'emailOpen' AND NOT is_machine) AS opens,
        count(*) FILTER (event_name = 'emailOpen' AND is_machine) AS machine_opens,
        count(*) FILTER (event_name = 'emailClick' AND NOT is_machine) AS clicks,
        count(*) FILTER (event_name = 'emailClick' AND is_machine) AS machine_clicks,
        count(*) FILTER (event_name = 'emailUnsubscribe') AS unsubscribes
    FROM firsts f JOIN {engagement} e
      ON e.message_id = f.message_id
     AND e.event_timestamp >= f.sent_at AND e.event_timestamp < f.sent_at + INTERVAL 72 HOURS
    GROUP BY f.message_id
), custom AS (
    SELECT f.message_id, event_name,
        min(event_timestamp - f.sent_at) AS delay, count(*) AS events,
        min(event_timestamp) FILTER (event_timestamp < f.sent_at + to_hours(window_hours)) AS first_conversion,
        count(*) FILTER (event_timestamp < f.sent_at + to_hours(window_hours)) AS attributed
    FROM firsts f JOIN {custom} c
      ON c.message_id = f.message_id
     AND c.event_timestamp >= f.sent_at AND c.event_timestamp < f.sent_at + INTERVAL 72 HOURS
    GROUP BY f.message_id, event_name
), converted AS (
    SELECT message_id, min(first_conversion) AS first_conversion, sum(attributed)::BIGINT AS attributed_conversions,
        list({{'event_name': event_name, 'first_after_us': epoch_us(delay), 'events': events}} ORDER BY event_name)
            AS conversions
    FROM custom GROUP BY message_id
)
SELECT DATE '{day}' AS send_date, f.*, e.* EXCLUDE (message_id), c.first_conversion,
       coalesce(c.attributed_conversions, 0) AS attributed_conversions, c.conversions
FROM firsts f JOIN engaged e USING (message_id) LEFT JOIN converted c USING (message_id)
"""


def floor(folder: Path, day: date) -> None:
    """What no way can avoid: decode the columns that message_outcomes needs, and write rows like its rows.

    It runs after message_outcomes, whose rows it copies. The ids and keys are read of the days that need them.
    """
    import polars as pl

    from benchmarks.messages import days_around
    from justai_assets.contract.tables import ATTRIBUTED_EVENTS, ESP_EVENTS, MESSAGE_OUTCOMES

    org, lake = place(folder)
    around, one = days_around(day), Days(day, day)
    ids = ("template_id", "campaign_id", "email_key", "user_key")
    for table, days, columns in (
        (ESP_EVENTS, around, ("event_name", "event_timestamp", "message_id", "is_machine")),
        (ESP_EVENTS, one, ids),
        (ATTRIBUTED_EVENTS, Days(day, around.last), ("event_name", "event_timestamp", "message_id", "window_hours")),
    ):
        lake.scan(org.slug, table, days).select(pl.col(columns).null_count()).collect(engine="streaming")
    rows = lake.scan(org.slug, MESSAGE_OUTCOMES, one)
    rows.sink_parquet(folder / "floor.parquet", compression="zstd", engine="streaming")


Contender = Callable[[Path, date], None]
CONTENDERS: Final[dict[str, Contender]] = {
    run.__name__: run for run in (message_outcomes, attribution, duckdb_join, floor)
}


if __name__ == "__main__":
    CONTENDERS[sys.argv[1]](Path(sys.argv[2]), date.fromisoformat(sys.argv[3]))
