"""Independent SQL over the landed files gives the same figures as the tables, for both kinds of org.

DuckDB reads the files themselves. Of the platform it knows only what the org file says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from justai_assets.contract.tables import ATTRIBUTION_METRICS, COPY_DAILY, Table
from justai_assets_tests.e2e.mixed_week import CHANGES, JOINED, UNIFIED
from justai_assets_tests.world import World

pytestmark = pytest.mark.slow

KINDS = {"emailSend": "send", "letterSend": "send", "emailOpen": "open", "emailClick": "click",
         "emailUnsubscribe": "unsubscribe", "emailBounce": "bounce"}  # fmt: skip
EVENTS = {JOINED: ("purchase", "signup"), UNIFIED: ("upgrade", "visit")}
DROPS = {
    JOINED: "select event_timestamp as ts, event_name as name, user_id_or_email as identity, value",
    UNIFIED: "select event_name, event_timestamp, message_id, template_id, campaign_id, value",
}


@pytest.fixture(scope="module", params=[JOINED, UNIFIED])
def landed(request: pytest.FixtureRequest, mixed: World) -> Iterator[tuple[str, duckdb.DuckDBPyConnection]]:
    org, root = request.param, mixed.folder / "landing"
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        describe(connection, org)
        folders = {
            "iterable_webhooks": "webhooks/iterable",
            "journey_webhooks": "webhooks/events",
            "generate": "generate",
        }
        connection.execute("create table lines (source varchar, line varchar)")
        for source, folder in folders.items():
            if (root / folder / org).exists():
                read = (
                    "delim = '\\1', quote = '', escape = '', header = false, compression = 'zstd', auto_detect = false"
                )
                files = f"{root / folder / org}/**/*.jsonl.zst"
                lines = f"read_csv('{files}', {read}, columns = {{'line': 'varchar'}})"
                connection.execute(f"insert into lines select '{source}', line from {lines}")
        warehouse = "redshift" if org == JOINED else "databricks"
        files = f"read_parquet('{root / warehouse / org}/**/*.parquet', hive_partitioning = false)"
        connection.execute(f"create table drops as {DROPS[org]} from {files}")
        for script in (f"{'joined' if org == JOINED else 'unified'}.sql", "landed.sql"):
            connection.execute((Path(__file__).parent / script).read_text(encoding="utf-8"))
        yield org, connection


def describe(connection: duckdb.DuckDBPyConnection, org: str) -> None:
    """What the org file says, as tables."""
    rule, events = CHANGES[org]["attribution"], EVENTS[org]
    own = {name: rule["windows"].get(name, rule["window_hours"]) for name in events}
    windows = sorted({24, 48, 72, *own.values()})
    metrics = [(name, 72) for name in ("open", "machine_open", "click", "unsubscribe", "any_conversion")]
    metrics += [(f"conversion:{name}", hours) for name in events for hours in sorted({24, 48, 72, own[name]})]
    metrics += [(f"revenue:{name}", own[name]) for name in events]
    arms = [
        (one["id"], arm, one[arm]["template_id"], one[arm]["campaign_id"])
        for one in CHANGES[org]["templates"]
        for arm in ("treatment", "control")
        if arm in one
    ]
    tables = {
        "given (event varchar, kind varchar)": list(KINDS.items()),
        "own_windows (event varchar, hours int)": list(own.items()),
        "counted (event varchar)": [(name,) for name in events],
        "all_windows (window_hours int)": [(hours,) for hours in windows],
        "metric_windows (metric varchar, window_hours int)": metrics,
        "arms (template varchar, arm varchar, template_id varchar, campaign_id varchar)": arms,
    }
    for table, rows in tables.items():
        connection.execute(f"create table {table}")
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"insert into {table.partition(' ')[0]} values ({marks})", rows)


def assert_same(mixed: World, org: str, table: Table, found: list[tuple], columns: list[str]) -> None:
    """The rows of a table are those that were found, to a millionth of an amount."""
    ours = mixed.lake.scan(org, table).select(columns).collect().rows()
    assert len(ours) > 100
    left, right = (sorted(rows, key=lambda row: tuple(map(str, row[:6]))) for rows in (ours, found))
    assert [row[:6] for row in left] == [row[:6] for row in right]
    for mine, theirs in zip(left, right, strict=True):
        for one, other in zip(mine[6:], theirs[6:], strict=True):
            is_near = None not in (one, other) and one == pytest.approx(other, abs=1e-6, rel=1e-12)
            assert one == other or is_near, (columns, mine, theirs)


def test_the_counts_of_send_cohorts(mixed: World, landed: tuple[str, duckdb.DuckDBPyConnection]) -> None:
    org, connection = landed
    columns = [name for name in COPY_DAILY.schema if name not in {"is_own_window", "rule"}]
    found = connection.sql(f"select {', '.join(columns)} from figures").fetchall()
    assert_same(mixed, org, COPY_DAILY, found, columns)
    assert len({row[columns.index("copy_id")] for row in found} - {None}) >= 2


def test_the_activity_of_days_of_events(mixed: World, landed: tuple[str, duckdb.DuckDBPyConnection]) -> None:
    org, connection = landed
    columns = list(ATTRIBUTION_METRICS.schema)
    found = connection.sql(f"select {', '.join(columns)} from activity").fetchall()
    assert_same(mixed, org, ATTRIBUTION_METRICS, found, columns)


def test_the_week_holds_what_is_hard(landed: tuple[str, duckdb.DuckDBPyConnection]) -> None:
    """A figure is right by chance where nothing of the kind happened."""
    org, connection = landed
    ((again, first),) = connection.sql("""
        select count(*) filter (where before is not null and date_diff('day', before::date, ts::date) <= 3),
               count(*) filter (where date_diff('day', before::date, ts::date) > 3) from sends""").fetchall()
    assert again >= 1
    assert first >= (org == JOINED)
    edge = "select count(*) from events where ts = send_at + to_hours({})"
    assert all(connection.sql(edge.format(hours)).fetchall() != [(0,)] for hours in (24, 48 if org == JOINED else 72))
    lost = connection.sql("select count(*) from events where kind = 'custom' and send_at is null").fetchall()
    assert lost != [(0,)]
