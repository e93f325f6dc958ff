"""From the lake and judged experiments to the data of a report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import COHORT_RESTATEMENTS, ESP_EVENTS, FATES
from justai_assets.experiments.arms import CONTROL, TREATMENT
from justai_assets.experiments.copy_daily import FUNNEL_METRICS
from justai_assets.experiments.metric_names import conversion, is_conversion, is_revenue, label
from justai_assets.experiments.org_results import Judged
from justai_assets.experiments.restatements import VALUE
from justai_assets.lake.ledger import NOTES, read_undated_fates
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org
from justai_assets.reporting.report_data import (
    ArmFunnel,
    Completeness,
    Fate,
    FunnelDay,
    ReportData,
    Restatement,
)
from justai_assets.sources.registry import lands


def report_data(
    org: Org, lake: Lake, judged: Judged, *, generated_at: datetime, previous_at: datetime | None = None
) -> ReportData:
    """Everything the report of an org shows for a judged period.

    Args:
        org: the org.
        lake: the lake; fates, receipts and restatements are read from it.
        judged: the experiments of the period.
        generated_at: when this is, UTC.
        previous_at: when the last report was made; restatements after it are listed, all of them when None.
    """
    return ReportData(
        org=org.slug,
        generated_at=generated_at,
        first_day=judged.days.first,
        last_day=judged.days.last,
        rules=judged.rules,
        templates=judged.results,
        overall=judged.overall,
        discoveries=judged.discoveries,
        arms=tuple(_arms(org, judged.funnel)),
        completeness=tuple(_completeness(org, lake, judged.days)),
        fates=_fates(org, lake, judged.days),
        restatements=restated(org, lake, judged.days, previous_at) if previous_at else (),
        previous_at=previous_at,
        is_chosen=judged.is_chosen,
    )


def restated(org: Org, lake: Lake, days: Days, since: datetime | None) -> tuple[Restatement, ...]:
    """The figures of closed send cohorts that moved since a moment, newest first.

    Several restatements of one number are one, from the first old value to the last new one; a number that came back
    to what it was is left out. Of the windows, the org's own is listed; of revenue, what messages brought.
    """
    rows = lake.scan(org.slug, COHORT_RESTATEMENTS, days).collect()
    if since is not None:
        rows = rows.filter(pl.col("restated_at") > since)
    known = {one.id for one in org.templates}
    found: dict[tuple[date, str, str], list[dict[str, Any]]] = {}
    for row in rows.sort("restated_at").iter_rows(named=True):
        metric = row["metric"]
        own = org.attribution.window_for(metric.removeprefix(conversion(""))) if metric else None
        is_other_window = metric is not None and is_conversion(metric) and row["window_hours"] != own
        is_count_of_revenue = metric is not None and is_revenue(metric) and row["number"] != VALUE
        if row["template"] not in known or metric in FUNNEL_METRICS or is_other_window or is_count_of_revenue:
            continue
        cohort = ", ".join([row["template"], *(["control"] if row["arm"] == CONTROL else [])])
        cohort += f", copy {row['copy_id']}" if row["copy_id"] else ""
        name = "Messages sent" if metric is None else label(metric)
        name += f" within {own} h" if metric and is_conversion(metric) else ""
        found.setdefault((row["send_date"], cohort, name), []).append(row)
    ends = (("before", "after"), ("value_before", "value_after"))
    moved = [
        _restatement(key, moves)
        for key, moves in found.items()
        if any(moves[0][before] != moves[-1][after] for before, after in ends)
    ]
    return tuple(sorted(moved, key=lambda one: (-one.restated_at.timestamp(), one.send_date, one.template, one.metric)))


def _restatement(key: tuple[date, str, str], moves: list[dict[str, Any]]) -> Restatement:
    day, template, metric = key
    first, last = moves[0], moves[-1]
    files = sorted({name for one in moves for name in str(one["files"] or "").split("\n") if name})
    reasons = files or sorted({str(one["upstream"]) for one in moves if one["upstream"]})
    return Restatement(
        last["restated_at"], day, template, metric, first["before"], last["after"], tuple(reasons)
    )  # fmt: skip


def _arms(org: Org, funnel: pl.DataFrame) -> Iterator[ArmFunnel]:
    """The arms of the org's templates, each once however many templates have it."""
    roles: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for template in org.templates:
        for role, arm in ((TREATMENT, template.treatment), (CONTROL, template.control)):
            if arm is not None:
                roles.setdefault((arm.template_id, arm.campaign_id), []).append((template.id, role))
    for found in roles.values():
        name, role = found[0]
        rows = funnel.filter(pl.col("template") == name, pl.col("arm") == role)
        yield ArmFunnel(tuple(found), tuple(_funnel(rows)))


def _funnel(rows: pl.DataFrame) -> Iterator[FunnelDay]:
    for row in rows.sort("cohort_date").iter_rows(named=True):
        yield FunnelDay(
            row["cohort_date"],
            row["sent"],
            row["opened"],
            row["machine_opened"],
            row["clicked"],
            row["converted"],
            row["unsubscribed"],
        )


def _completeness(org: Org, lake: Lake, days: Days) -> Iterator[Completeness]:
    received = (
        lake.scan(org.slug, FATES, days)
        .filter(pl.col("fate") == "received", pl.col("records") > 0)
        .group_by("door")
        .agg(pl.col("event_date").n_unique().alias("days"), pl.col("event_date").max().alias("latest"))
        .collect()
    )
    by_door = {door: (int(count), latest) for door, count, latest in received.iter_rows()}
    for door in dict.fromkeys((org.engagement, *org.custom)):
        if lands(door):
            count, latest = by_door.get(door, (0, None))
            late = _late(org, lake, days) if door == org.engagement else None
            yield Completeness(door, len(days), count, latest, late)


def _late(org: Org, lake: Lake, days: Days) -> int | None:
    """Records received after their day was over; None when no receipt is known."""
    over = pl.col("event_date").cast(pl.Datetime("us", "UTC")) + timedelta(days=1)
    known, late = (
        lake.scan(org.slug, ESP_EVENTS, days)
        .select(
            pl.col("received_at").count().alias("known"),
            (pl.col("received_at") >= over).sum().cast(pl.Int64).alias("late"),
        )
        .collect(engine="streaming")
        .row(0)
    )
    return int(late) if known else None


def _fates(org: Org, lake: Lake, days: Days) -> tuple[Fate, ...]:
    keys = ("asset", "door", "fate", "reason")
    # A note is no fate of a record.
    undated = read_undated_fates(lake, org.slug).lazy().with_columns(pl.col("door") + ", no date")
    fates = pl.concat([lake.scan(org.slug, FATES, days), undated]).filter(~pl.col("fate").is_in(NOTES))
    rows = fates.group_by(*keys).agg(pl.col("records").sum()).collect()
    return tuple(Fate(*row) for row in rows.filter(pl.col("records") > 0).sort(*keys, nulls_last=False).iter_rows())
