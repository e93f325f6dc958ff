"""copy_daily: the counts that every rate comes from, made of message_outcomes and the org's templates.

A cohort is the messages sent on one day (UTC). What happens to a message counts for the day it was SENT, so a rate is a
share of messages. Opens, clicks and unsubscribes have 72 hours; a conversion is counted within 24, 48 and 72 hours and
the org's own window for its name. Opens and clicks by machines do not count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from typing import Final

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.events import ENGAGEMENT_METRICS, MAX_WINDOW_HOURS, WINDOWS_HOURS
from justai_assets.contract.tables import COPY_DAILY, MESSAGE_OUTCOMES
from justai_assets.experiments.arms import CONTROL, TREATMENT
from justai_assets.experiments.clustered_variance import PEOPLE
from justai_assets.experiments.cohort_counts import COUNTS
from justai_assets.experiments.decision_rules import Plan
from justai_assets.experiments.metric_names import (
    conversion,
    metric_of,
    revenue,
)
from justai_assets.experiments.revenue import amounts, revenue_metrics
from justai_assets.lake.store import Lake
from justai_assets.orgs.extra_columns import has_value
from justai_assets.orgs.org_model import Attribution, Org
from justai_assets.orgs.templates import Arm as OrgArm
from justai_assets.orgs.templates import Template

MACHINE_OPEN: Final = "machine_open"
"""Opened by a machine and by nobody else."""
ANY_CONVERSION: Final = "any_conversion"
"""At least one custom event, within the org's own window for its name."""
_FLAGS: Final = (*ENGAGEMENT_METRICS, MACHINE_OPEN, ANY_CONVERSION)
FUNNEL_METRICS: Final = (MACHINE_OPEN, ANY_CONVERSION)
"""Metrics that are shown and never judged."""

VALUES: Final = ("value", "value_squares")
_KEYS: Final = ("template", "arm", "copy_id")
_MICROSECONDS: Final = 3_600_000_000
_METRICS: Final = pl.Schema({"metric": pl.String(), "window_hours": pl.Int32(), "is_own_window": pl.Boolean()})


def plans(templates: Sequence[Template], assumed_design_effect: float | None = None) -> tuple[Plan, ...]:
    """How an org's templates are tested, in the order of its file."""
    return tuple(
        Plan(
            template=one.id,
            key_metric=metric_of(one.key_metric),
            has_control=one.control is not None,
            control_share=one.control_share,
            split_unit=one.split_unit,
            start=one.experiment_start,
            end=one.experiment_end,
            treatment_id=_arm_id(one.treatment),
            control_id="" if one.control is None else _arm_id(one.control),
            assumed_design_effect=assumed_design_effect,
        )
        for one in templates
    )


def _arm_id(arm: OrgArm) -> str:
    return f"{arm.template_id} {arm.campaign_id}"


def counted_events(org: Org) -> tuple[str, ...]:
    """The custom events that the org file names.

    These are key metrics, names with a window of their own, what a custom source lists in the org file (Journeys), and
    `experiments.events`.
    """
    names = {one.key_metric for one in org.templates if one.key_metric} - set(ENGAGEMENT_METRICS)
    names |= {*org.attribution.windows, *org.experiments.events}
    for source in org.custom:
        settings = org.sources.of(source)
        names |= set(((settings.event_names if settings else None) or {}).values())
    return tuple(sorted(names))


def counting_rule(org: Org) -> str:
    """A hash of what copy_daily depends on beside message_outcomes: templates' ids, counted events, windows."""
    arms = [
        [one.id, *(arm.model_dump() if arm else None for arm in (one.treatment, one.control))] for one in org.templates
    ]
    windows = {name: org.attribution.window_for(name) for name in counted_events(org)}
    text = json.dumps([arms, windows, org.attribution.window_hours, *(["value"] * has_value(org))], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def metrics_of(names: Sequence[str], attribution: Attribution, *, has_value: bool = False) -> pl.DataFrame:
    """Every metric and window that is counted, and whether the window is the org's own."""
    rows = [(metric, MAX_WINDOW_HOURS, True) for metric in _FLAGS]
    for event in names:
        own = attribution.window_for(event)
        rows += [(conversion(event), hours, hours == own) for hours in sorted({*WINDOWS_HOURS, own})]
    rows += revenue_metrics(names, attribution) if has_value else []
    return pl.DataFrame(rows, schema=_METRICS, orient="row")


def count_copies(outcomes: pl.LazyFrame, org: Org) -> pl.DataFrame:
    """Count the messages of the templates' arms, and those of all templates together.

    Args:
        outcomes: rows of MESSAGE_OUTCOMES; those of disjoint days may be counted apart.
        org: its templates, windows and counted events; messages of other template and campaign ids are not counted.

    Returns:
        COPY_DAILY in the order of its columns: every metric has a row wherever messages were sent, with 0 successes
        where none followed. Where template is null, a message of several templates counts once.
    """
    attribution, events = org.attribution, counted_events(org)
    messages = _messages(outcomes, org.templates)
    whole = messages.unique(["message_id", "send_date"]).with_columns(
        pl.lit(None, pl.String).alias(name) for name in _KEYS
    )
    metrics = metrics_of(events, attribution, has_value=has_value(org))
    keys = ("send_date", *_KEYS)
    found = []
    for rows in (messages, whole):
        sums = pl.concat(
            [_successes(rows, keys, events, attribution), amounts(rows, keys, events, attribution)], how="diagonal"
        )
        sent = rows.group_by(keys).agg(
            pl.len().cast(pl.Int64).alias("messages"), pl.col("is_machine_known").any().alias("is_known")
        )
        every = sent.join(metrics.lazy(), how="cross")
        found.append(every.join(sums, on=[*keys, "metric", "window_hours"], how="left", nulls_equal=True))
    unknown = (pl.col("metric") == MACHINE_OPEN) & ~pl.col("is_known")
    successes = pl.when(~unknown).then(pl.col("successes").fill_null(0)).alias("successes")
    brought = (
        pl.when(pl.col("metric").str.starts_with(revenue(""))).then(pl.col(name).fill_null(0.0)).alias(name)
        for name in VALUES
    )
    rows = pl.concat(found).with_columns(successes, *brought, pl.lit(counting_rule(org)).alias("rule"))
    shaped = rows.select(pl.col(name).cast(dtype) for name, dtype in COPY_DAILY.schema.items())
    return shaped.collect(engine="streaming").sort(COPY_DAILY.schema.names())


def people_of(outcomes: pl.LazyFrame, org: Org) -> pl.DataFrame:
    """PEOPLE behind `count_copies` of the same arguments: a row for what each received, for what succeeded,
    and for what was paid.

    Most people succeed at hardly anything, so there is no row for 0 successes.
    """
    messages = _messages(outcomes, org.templates).filter(pl.col("person").is_not_null())
    keys = (*_KEYS, "send_date", "person")
    sent = messages.group_by(keys).agg(pl.len().cast(pl.Int64).alias("messages"))
    sums = _successes(messages, keys, counted_events(org), org.attribution).filter(
        ~pl.col("metric").is_in(FUNNEL_METRICS), pl.col("successes") > 0
    )
    brought = amounts(messages, keys, counted_events(org), org.attribution).with_columns(
        pl.col("value").alias("successes")
    )
    parts = [sent, sums, *([brought.select(*keys, "metric", "window_hours", "successes")] if has_value(org) else [])]
    both = pl.concat(parts, how="diagonal_relaxed").with_columns(pl.col("messages", "successes").fill_null(0))
    both = both.rename({"send_date": "cohort_date", "person": "user"})
    return both.select(pl.col(name).cast(dtype) for name, dtype in PEOPLE.items()).collect(engine="streaming")


def count_day(org: Org, lake: Lake, day: date) -> pl.DataFrame:
    """COPY_DAILY of one send day, from message_outcomes as it is now."""
    outcomes = lake.scan(org.slug, MESSAGE_OUTCOMES, Days(day, day))
    return count_copies(outcomes, org)


def copy_counts(org: Org, lake: Lake, days: Days) -> pl.DataFrame:
    """COPY_DAILY of some send days by the org file as it is now.

    A day that was counted by another org file, or not yet, is counted again from message_outcomes.
    """
    rows = lake.scan(org.slug, COPY_DAILY, days).filter(pl.col("rule") == counting_rule(org)).collect()
    counted = set(rows["send_date"])
    sent = lake.counts(org.slug, MESSAGE_OUTCOMES, days)
    again = [count_day(org, lake, day) for day in days if sent[day] and day not in counted]
    return pl.concat([rows, *again])


def sends_without_message(outcomes: pl.LazyFrame, templates: Sequence[Template]) -> int:
    """Sends of the arms that carry no message id: nothing can follow them, and they are in no count."""
    ids = _arms(templates).select("template_id", "campaign_id").unique()
    rows = outcomes.filter(pl.col("message_id").is_null()).join(ids, on=["template_id", "campaign_id"], how="semi")
    return int(rows.select(pl.col("sends").sum()).collect().item())


def _arms(templates: Sequence[Template]) -> pl.LazyFrame:
    rows = [
        (template.id, name, arm.template_id, arm.campaign_id)
        for template in templates
        for name, arm in ((TREATMENT, template.treatment), (CONTROL, template.control))
        if arm is not None
    ]
    return pl.LazyFrame(
        rows, schema=dict.fromkeys(("template", "arm", "template_id", "campaign_id"), pl.String()), orient="row"
    )


def _messages(outcomes: pl.LazyFrame, templates: Sequence[Template]) -> pl.LazyFrame:
    """One row a message and template, with a flag for each metric of engagement."""
    return (
        outcomes.filter(pl.col("message_id").is_not_null())
        .join(_arms(templates), on=["template_id", "campaign_id"])
        .select(
            *_KEYS,
            *("send_date", "message_id", "person", "is_machine_known", "conversions", "values"),
            *(pl.col(f"first_{name}").is_not_null().alias(name) for name in ENGAGEMENT_METRICS),
            (pl.col("first_machine_open").is_not_null() & pl.col("first_open").is_null()).alias(MACHINE_OPEN),
            pl.col("first_conversion").is_not_null().alias(ANY_CONVERSION),
        )
    )


def _successes(
    messages: pl.LazyFrame, keys: Sequence[str], events: Sequence[str], attribution: Attribution
) -> pl.LazyFrame:
    """keys, metric, window_hours and successes; no row where nothing succeeded."""
    engaged = (
        messages.group_by(keys)
        .agg(pl.col(_FLAGS).sum().cast(pl.Int64))
        .unpivot(_FLAGS, index=list(keys), variable_name="metric", value_name="successes")
        .with_columns(pl.lit(MAX_WINDOW_HOURS, pl.Int32).alias("window_hours"))
    )
    order = (*keys, "metric", "window_hours", "successes")
    # One entry a message and event name: rows are messages.
    converted = (
        messages.filter(pl.col("conversions").list.len() > 0)
        .select(*keys, "conversions")
        .explode("conversions")
        .unnest("conversions")
        .filter(pl.col("event_name").is_in(list(events)))
    )
    windows = metrics_of(events, attribution).filter(~pl.col("metric").is_in(_FLAGS)).lazy()
    inside = pl.col("first_after_us") < pl.col("window_hours").cast(pl.Int64) * _MICROSECONDS
    named = (
        converted.with_columns((pl.lit(conversion("")) + pl.col("event_name")).alias("metric"))
        .join(windows, on="metric")
        .filter(inside)
    )
    by_window = named.group_by(*keys, "metric", "window_hours").agg(pl.len().cast(pl.Int64).alias("successes"))
    return pl.concat([one.select(order) for one in (engaged, by_window)])


def counts_of(rows: pl.DataFrame) -> pl.DataFrame:
    """COUNTS, the input of an analysis, out of COPY_DAILY."""
    is_other = pl.col("metric").is_in(FUNNEL_METRICS) | pl.col("metric").str.starts_with(revenue(""))
    judged = rows.filter(pl.col("template").is_not_null(), ~is_other)
    return judged.rename({"send_date": "cohort_date"}).select(
        pl.col(name).cast(dtype) for name, dtype in COUNTS.items()
    )
