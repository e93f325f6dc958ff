"""From the lake's events to the counts of an experiment, by send cohort.

A cohort is the messages sent on one day (UTC). What happens to a message counts for the day it was SENT, so a rate is a
share of messages and can only be right per cohort. An event belongs to its message when

    send_timestamp <= event_timestamp < send_timestamp + window

which is the attribution's own rule seen from the send. Opens, clicks and unsubscribes have 72 hours; a conversion is
counted within 24, 48 and 72 hours and the org's own window for its name. Opens and clicks by machines do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.metrics.experiments.arms import CONTROL, TREATMENT
from justai_assets.metrics.experiments.cluster import PEOPLE
from justai_assets.metrics.experiments.counts import COUNTS
from justai_assets.metrics.experiments.metric import (
    CLICK,
    ENGAGEMENT_METRICS,
    OPEN,
    UNSUBSCRIBE,
    metric_of,
)
from justai_assets.metrics.experiments.outcomes import ANY_CONVERSION, MACHINE_OPEN, metric_names, outcomes
from justai_assets.metrics.experiments.rules import Plan
from justai_assets.orgs.model import Attribution, Org, Template

FUNNEL: Final = pl.Schema(
    {
        "template": pl.String(),
        "cohort_date": pl.Date(),
        "sent": pl.Int64(),
        "opened": pl.Int64(),
        "machine_opened": pl.Int64(),
        "clicked": pl.Int64(),
        "converted": pl.Int64(),
        "unsubscribed": pl.Int64(),
    }
)
"""Messages by template and send day, both arms; template null: those of all templates, each counted once however many
of them it belongs to. machine_opened: by machines only; converted: by any counted event within the org's own window."""

_KEYS: Final = ("template", "arm", "copy_id")


@dataclass(frozen=True)
class Cohorts:
    """What the cohorts of a range of days came to.

    Attributes:
        counts: COUNTS; every metric has a row wherever messages were sent, with 0 successes where none followed.
        people: PEOPLE, restricted: those known by a key. Messages without one are in the counts only.
        funnel: FUNNEL.
        sends_without_message: sends of the arms that carry no message_id: nothing can be joined to them, so they are in
            no count above.
    """

    counts: pl.DataFrame
    people: pl.DataFrame
    funnel: pl.DataFrame
    sends_without_message: int


def plans(templates: Sequence[Template]) -> tuple[Plan, ...]:
    """How an org's templates are tested, in the order of its file."""
    return tuple(
        Plan(
            template=one.id,
            key_metric=metric_of(one.key_metric),
            has_control=one.control is not None,
            control_share=one.control_share,
            split_unit=one.split_unit,
            start=one.experiment_start,
        )
        for one in templates
    )


def counted_events(org: Org) -> tuple[str, ...]:
    """The custom events that the org file names.

    These are key metrics, names with a window of their own, what the read Journey webhooks are mapped to, and
    `experiments.events`.
    """
    names = {one.key_metric for one in org.templates if one.key_metric} - set(ENGAGEMENT_METRICS)
    names |= {*org.attribution.windows, *org.experiments.events}
    if "journey_webhooks" in org.custom and org.sources.journey_webhooks is not None:
        names |= set(org.sources.journey_webhooks.events.values())
    return tuple(sorted(names))


def cohorts(
    engagement: pl.LazyFrame,
    conversions: pl.LazyFrame,
    templates: Sequence[Template],
    attribution: Attribution,
    days: Days,
    *,
    events: Sequence[str],
    copies: pl.LazyFrame | None = None,
) -> Cohorts:
    """Count the cohorts of some days.

    Counts, people and funnels of disjoint days may be concatenated, so a long range can be done day by day.

    Args:
        engagement: ESP_EVENTS of the days and of the three after them, or the later outcomes are missing.
        conversions: ATTRIBUTED_EVENTS of the same days; only event_name, event_timestamp and message_id are read, so
            the custom events of a unified stream do as well.
        templates: the org's templates; messages of other template and campaign ids are not counted.
        attribution: the org's windows and send events.
        days: send days.
        events: names of the custom events to count (`counted_events`).
        copies: message_id → copy_id, where it is known.

    Returns:
        Counts and funnel sorted by their keys, people in no order. A message sent twice is one message, of its first
        send; one person in both arms is in both.
    """
    names = tuple(events)
    sends = _sends(engagement, templates, attribution, days).collect()
    nameless = sends.filter(pl.col("message_id").is_null()).get_column("event_id").n_unique()
    messages = _messages(sends.lazy(), copies)
    followed = outcomes(messages, engagement, conversions, names, attribution)
    flags = [name for name in followed.collect_schema().names() if name != "message_id"]
    flagged = (
        messages.join(followed, on="message_id", how="left")
        .with_columns(pl.col(flags).fill_null(value=False))
        .with_columns(pl.col(MACHINE_OPEN) & ~pl.col(OPEN))
        .select("message_id", *_KEYS, "cohort_date", "user", *flags)
        .collect()
    )
    metrics = metric_names(names, attribution)
    counts, funnel = _counts(flagged, metrics), _funnel(flagged)
    return Cohorts(counts, _people(flagged, metrics), funnel, nameless)


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


def _sends(
    engagement: pl.LazyFrame, templates: Sequence[Template], attribution: Attribution, days: Days
) -> pl.LazyFrame:
    sent = pl.col("event_name").is_in(attribution.send_events)
    return (
        engagement.filter(sent, pl.col("event_date").is_between(days.first, days.last))
        .join(_arms(templates), on=["template_id", "campaign_id"])
        .select(
            *("event_id", "event_timestamp", "event_date", "message_id", "template", "arm"),
            pl.coalesce("user_key", "email_key").alias("key"),
        )
    )


def _messages(sends: pl.LazyFrame, copies: pl.LazyFrame | None) -> pl.LazyFrame:
    """One row a message and template: when it was first sent, to whom, with which copy."""
    found = (
        # Sorted once and cut: sorting inside each of a million groups takes ten times as long.
        sends.filter(pl.col("message_id").is_not_null())
        .sort("event_timestamp", "event_id")
        .unique(["message_id", "template"], keep="first", maintain_order=True)
        .rename({"event_timestamp": "sent_at", "event_date": "cohort_date", "key": "user"})
        .drop("event_id")
    )
    if copies is None:
        return found.with_columns(pl.lit(None, pl.String).alias("copy_id"))
    # A message has one copy; should two be claimed, the smaller id is taken, the same on every run.
    known = copies.filter(pl.col("message_id").is_not_null()).group_by("message_id").agg(pl.col("copy_id").min())
    return found.join(known, on="message_id", how="left")


def _sums(flags: Sequence[str]) -> tuple[pl.Expr, ...]:
    return pl.len().cast(pl.Int64).alias("messages"), pl.col(flags).sum().cast(pl.Int64)


def _counts(flagged: pl.DataFrame, metrics: pl.DataFrame) -> pl.DataFrame:
    keys, flags = (*_KEYS, "cohort_date"), metrics.get_column("flag").to_list()
    summed = flagged.group_by(keys).agg(*_sums(flags))
    long = summed.unpivot(flags, index=[*keys, "messages"], variable_name="flag", value_name="successes")
    found = long.join(metrics, on="flag")
    return found.select(COUNTS.names()).cast(dict(COUNTS)).sort(COUNTS.names())  # type: ignore[arg-type]


def _people(flagged: pl.DataFrame, metrics: pl.DataFrame) -> pl.DataFrame:
    keys, flags = (*_KEYS, "cohort_date", "user"), metrics.get_column("flag").to_list()
    people = flagged.filter(pl.col("user").is_not_null()).group_by(keys).agg(*_sums(flags))
    rows = [people.select(*keys, "messages")]
    for flag, metric, hours, _ in metrics.iter_rows():
        # Most people succeed at hardly anything: rows of 0 would be nine in ten.
        rows.append(
            people.filter(pl.col(flag) > 0).select(
                *keys,
                pl.lit(metric).alias("metric"),
                pl.lit(hours).alias("window_hours"),
                pl.col(flag).alias("successes"),
            )
        )
    long = pl.concat([pl.DataFrame(schema=PEOPLE), *rows], how="diagonal_relaxed")
    filled = long.with_columns(pl.col("messages", "successes").fill_null(0))
    return filled.select(PEOPLE.names()).cast(dict(PEOPLE))  # type: ignore[arg-type]


def _funnel(flagged: pl.DataFrame) -> pl.DataFrame:
    renamed = {
        "messages": "sent",
        OPEN: "opened",
        MACHINE_OPEN: "machine_opened",
        CLICK: "clicked",
        ANY_CONVERSION: "converted",
        UNSUBSCRIBE: "unsubscribed",
    }
    flags = [name for name in renamed if name != "messages"]
    once = flagged.sort("cohort_date").unique("message_id", keep="first", maintain_order=True)
    both = pl.concat([flagged, once.with_columns(pl.lit(None, pl.String).alias("template"))])
    summed = both.group_by("template", "cohort_date").agg(*_sums(flags)).rename(renamed)
    return summed.select(FUNNEL.names()).cast(dict(FUNNEL)).sort("template", "cohort_date")  # type: ignore[arg-type]
