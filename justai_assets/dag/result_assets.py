"""What won, and the report of it: one pass over the last days of an org."""

import base64
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import polars as pl

from justai_assets.contract.tables import COPY_DAILY, EXPERIMENT_RESULTS, MESSAGE_OUTCOMES
from justai_assets.dag.automation_condition import refresh_hourly_when_upstream_changes
from justai_assets.dag.metadata import COLUMN_SCHEMA, column_schema, definition_metadata, markdown_table
from justai_assets.dag.org_keys import OWNER, group_of, table_key
from justai_assets.dag.resources import Platform
from justai_assets.dag.run_retries import verdicts
from justai_assets.experiments.experiment_start import shown_days, starts_of
from justai_assets.experiments.org_results import DEFAULT_DAYS, Judged, judge, last_days, write_results
from justai_assets.orgs.org_model import Org
from justai_assets.reporting.report_data import ReportData

REPORT = "report"
_PREVIEW_SCALE = 1.0


class Period(dg.Config):
    """Up to which day is judged, and what the report shows. Every template is judged from its own start on.

    Attributes:
        days: how many days back from the last one the report's funnels go, up to twice as many where a test began then.
        last: last send day, YYYY-MM-DD; the newest day that holds events when empty.
    """

    days: int = DEFAULT_DAYS
    last: str = ""


def results_keys(org: Org) -> tuple[dg.AssetKey, ...]:
    """The keys of an org's results and report."""
    return table_key(org.slug, EXPERIMENT_RESULTS), dg.AssetKey([org.slug, REPORT])


def results_op(org: Org) -> str:
    """The name of the step that makes both."""
    return f"{group_of(org.slug)}__experiment_results_and_report"


def results_assets(org: Org) -> dg.AssetsDefinition:
    """`[org, experiment_results]` and `[org, report]`: computed together, because the report shows the results."""
    results_key, report_key = results_keys(org)
    counts = COPY_DAILY if org.templates else MESSAGE_OUTCOMES
    upstream = dg.AssetDep(table_key(org.slug, counts), partition_mapping=dg.AllPartitionMapping())
    shared: dict[str, Any] = {
        "group_name": group_of(org.slug),
        "owners": [OWNER],
        "skippable": True,
        "automation_condition": refresh_hourly_when_upstream_changes(),
    }

    @dg.multi_asset(
        name=results_op(org),
        specs=[
            dg.AssetSpec(
                results_key,
                deps=[upstream],
                kinds={"polars", "deltalake"},
                description=EXPERIMENT_RESULTS.doc,
                metadata=definition_metadata(org.slug, EXPERIMENT_RESULTS, with_columns=False),
                tags={"org": org.slug, "personal": "no"},
                **shared,
            ),
            dg.AssetSpec(
                report_key,
                deps=[upstream],
                kinds={"html", "altair"},
                description="What won, with intervals, funnels, fates and what moved: one HTML file, aggregates only.",
                tags={"org": org.slug, "personal": "no"},
                **shared,
            ),
        ],
        pool=f"{group_of(org.slug)}_{EXPERIMENT_RESULTS.name}",
    )
    def results_and_report(context: dg.AssetExecutionContext, platform: Platform, config: Period):  # type: ignore[no-untyped-def]  # Dagster would read a return type as an output
        from justai_assets.reporting.html_report import render_report
        from justai_assets.reporting.report_files import previous_report, shelve_report
        from justai_assets.reporting.report_input import report_data
        from justai_assets.reporting.report_preview import preview_png

        now = datetime.now(UTC)
        lake = platform.lake()
        last = date.fromisoformat(config.last) if config.last else now.date()
        days = last_days(org, lake, last, config.days)
        if days is None:
            # No failure: the schedule asks every day, also of an org whose first events are still to come.
            context.log.info(f"{org.slug} has no event up to {last}: there is nothing to judge, and no report is made")
            return
        with verdicts(context.retry_number):
            starts = starts_of(org, lake, days.last)
            judged = judge(
                org,
                lake,
                shown_days(days, starts),
                starts=starts,
                on_day=lambda day: context.log.debug(f"{day} read"),
            )
            until = None if config.last else now.date()
            rows = write_results(org, lake, judged, note={"run_id": context.run.run_id, "org": org.slug}, until=until)
            yield dg.MaterializeResult(asset_key=results_key, metadata=results_metadata(judged, rows))
            previous = previous_report(lake.root, org.slug, now)
            data = report_data(org, lake, judged, generated_at=now, previous_at=previous)
            html = render_report(data)
            key = shelve_report(lake.root, org.slug, html, now)
            png = preview_png(data, scale=_PREVIEW_SCALE)
            yield dg.MaterializeResult(
                asset_key=report_key, metadata=report_metadata(data, lake.root.uri(key), len(html.encode()), png)
            )

    return results_and_report


def results_metadata(judged: Judged, rows: int) -> dict[str, Any]:
    """What the UI shows of the results: the decision on every template."""
    decisions = pl.DataFrame(
        [(one.plan.template, one.decision.verdict, one.decision.sentence) for one in judged.results],
        schema=["template", "verdict", "decision"],
        orient="row",
    )
    return {
        "dagster/row_count": rows,
        "sends": str(judged.days),
        "decisions": dg.MetadataValue.md(markdown_table(decisions)),
        COLUMN_SCHEMA: column_schema(EXPERIMENT_RESULTS),
        "sends without a message id": judged.sends_without_message,
    }


def report_metadata(data: ReportData, path: str, size: int, png: bytes) -> dict[str, Any]:
    """What the UI shows of the report: where it lies, and a picture of it."""
    picture = base64.b64encode(png).decode()
    return {
        "report": dg.MetadataValue.path(path),
        "dagster/uri": path,
        "bytes": size,
        "sends": f"{data.first_day} … {data.last_day}",
        "restated numbers": len(data.restatements),
        "preview": dg.MetadataValue.md(f"![What won at {data.org}](data:image/png;base64,{picture})"),
    }
