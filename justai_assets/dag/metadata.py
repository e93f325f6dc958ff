"""What a person sees of a table and of a day in the Dagster UI."""

from collections.abc import Callable, Iterable
from typing import Any

import dagster as dg
import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import Table
from justai_assets.lake.ledger import DayReport
from justai_assets.lake.store import Lake

SAMPLE_ROWS = 5
COLUMN_SCHEMA = "dagster/column_schema"
WIDE = 20
"""Columns from which on a table's come with each run, and not with every snapshot of the location."""
MARKS_LOGGED = 10
"""Remarks of a day that are also logged; a day of a thousand broken files has them all in its metadata."""


def definition_metadata(slug: str, table: Table, *, with_columns: bool = True) -> dict[str, Any]:
    """Metadata of the asset itself: its name and its columns, each with its meaning.

    A wide table's columns may rather come with each materialization: what the definition holds is sent for every org
    with every snapshot of the location.
    """
    return {
        "dagster/table_name": f"{slug}.{table.name}",
        **({COLUMN_SCHEMA: column_schema(table)} if with_columns else {}),
        "partitioned by": ", ".join(table.partition_by),
        "about persons": "pseudonymous, restricted" if table.personal else "no",
    }


def column_schema(table: Table) -> dg.TableSchema:
    """The columns of a table, each with its meaning."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                type=str(column.dtype),
                description=column.doc,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in table.columns
        ]
    )


def day_metadata(report: DayReport) -> dict[str, Any]:
    """Metadata of one written day: rows, bytes, fates, and remarks."""
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": report.rows,
        "bytes": report.bytes,
        "landing files": report.files,
    }
    for fate in dict.fromkeys(one.fate for one in report.fates):
        metadata[fate] = report.records(fate)
    why = [one for one in report.fates if one.reason and one.records]
    if why:
        metadata["reasons"] = dg.MetadataValue.md(
            "\n".join(["| door | fate | reason | records |", "|---|---|---|---:|"]
                      + [f"| {one.door} | {one.fate} | `{one.reason}` | {one.records:,} |" for one in why])
        )  # fmt: skip
    if report.marks:
        metadata["remarks"] = dg.MetadataValue.md("\n".join(f"- {mark}" for mark in report.marks))
    return metadata


def run_metadata(lake: Lake, slug: str, table: Table, days: Days, reports: Iterable[DayReport]) -> dict[str, Any]:
    """Metadata of the whole run: totals, where the table lies, and a few rows of the last day that has some."""
    written = list(reports)
    last = next((one.day for one in reversed(written) if one.rows and one.day), None)
    metadata: dict[str, Any] = {
        "days": len(days),
        "rows written": sum(one.rows for one in written),
        "bytes written": sum(one.bytes for one in written),
        "dagster/uri": lake.uri(slug, table),
        "delta version": _version(lake, slug, table),
    }
    if last is not None and not table.personal:
        sample = lake.scan(slug, table, Days(last, last)).head(SAMPLE_ROWS).collect()
        metadata["sample"] = dg.MetadataValue.md(markdown_table(sample))
    return metadata


def reporter(context: dg.AssetExecutionContext, total: int) -> Callable[[DayReport], None]:
    """A callback that logs each day as it is written and puts its numbers on the day's materialization."""
    done = 0

    def report(one: DayReport) -> None:
        nonlocal done
        done += 1
        context.log.info(f"{one.day}: {one.rows:,} rows ({done} of {total} days)")
        for mark in one.marks[:MARKS_LOGGED]:
            context.log.warning(f"{one.day}: {mark}")
        context.add_asset_metadata(day_metadata(one), partition_key=str(one.day))

    return report


def markdown_table(frame: pl.DataFrame) -> str:
    """A small frame as a Markdown table; null is an empty cell."""
    head = ["| " + " | ".join(frame.columns) + " |", "|" + "---|" * frame.width]
    rows = [
        "| " + " | ".join("" if cell is None else str(cell).replace("|", "\\|") for cell in row) + " |"
        for row in frame.iter_rows()
    ]
    return "\n".join(head + rows)


def _version(lake: Lake, slug: str, table: Table) -> int:
    found = lake.open(slug, table)
    return found.version() if found is not None else -1
