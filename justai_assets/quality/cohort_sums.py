"""Send cohorts: every message that was sent is counted once, from the accepted sends to the counts of every rate."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.contract.tables import COPY_DAILY, MESSAGE_OUTCOMES, Table
from justai_assets.events.event_stream import SEND, read_events
from justai_assets.experiments.copy_daily import counting_rule
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org
from justai_assets.quality.day_result import Verdict

_IDS = ("template_id", "campaign_id")


def cohorts(org: Org, lake: Lake, table: Table, days: Days) -> list[Verdict]:
    """Hold the messages of each send day against what they were made from.

    Of message_outcomes: a row for each message that is sent on the day and was not sent in the three days before, and
    as many sends without a message id as the events have. The events may have been written again since: a difference
    is a warning, and automation builds the day again. Of copy_daily: of each template, arm and copy, and of all
    templates together, as many messages as message_outcomes has, whatever the metric.
    """
    judge = _outcomes if table is MESSAGE_OUTCOMES else _counts
    return [judge(org, lake, day) for day in days]


def _outcomes(org: Org, lake: Lake, day: date) -> Verdict:
    message = pl.col("message_id")
    sends = (
        read_events(org, lake, Days(day - timedelta(days=LOOKBACK_DAYS), day))
        .filter(pl.col("event_class") == SEND)
        .select("event_date", message.hash(seed=0).alias("hash"), message.is_null().alias("is_nameless"))
    )
    is_today, is_named = pl.col("event_date") == day, ~pl.col("is_nameless")
    before = sends.filter(~is_today, is_named).select("hash")
    first = sends.filter(is_today, is_named).select("hash").unique().join(before, on="hash", how="anti")
    rows = lake.scan(org.slug, MESSAGE_OUTCOMES, Days(day, day))
    accepted, nameless, held, held_nameless = (
        int(one.item() or 0)
        for one in pl.collect_all(
            [
                first.select(pl.len()),
                sends.filter(is_today, ~is_named).select(pl.len()),
                rows.filter(message.is_not_null()).select(pl.len()),
                rows.filter(message.is_null()).select(pl.col("sends").sum()),
            ],
            engine="streaming",
        )
    )
    warnings = []
    if accepted != held:
        warnings.append(f"{accepted} messages are sent first on this day, but the table holds {held}")
    if nameless != held_nameless:
        warnings.append(f"{nameless} sends have no message id, but the table holds {held_nameless}")
    return Verdict(day, {"messages": held, "sends without a message": held_nameless}, warnings=tuple(warnings))


def _counts(org: Org, lake: Lake, day: date) -> Verdict:
    counted = lake.scan(org.slug, COPY_DAILY, Days(day, day)).collect()
    outcomes = lake.scan(org.slug, MESSAGE_OUTCOMES, Days(day, day)).filter(pl.col("message_id").is_not_null())
    rows = outcomes.group_by(*_IDS, "copy_id").len("messages").collect(engine="streaming")
    expected: dict[tuple[str | None, str | None, str | None], int] = {}
    arms = [
        (template.id, name, arm)
        for template in org.templates
        for name, arm in (("treatment", template.treatment), ("control", template.control))
        if arm is not None
    ]
    for template_id, campaign_id, copy, messages in rows.iter_rows():
        mine = [
            (template, arm)
            for template, arm, ids in arms
            if (ids.template_id, ids.campaign_id) == (template_id, campaign_id)
        ]
        for template, arm in mine:
            key = (template, arm, copy)
            expected[key] = expected.get(key, 0) + messages
        if mine:
            expected[None, None, None] = expected.get((None, None, None), 0) + messages
    problems = []
    found = counted.select("template", "arm", "copy_id", "messages").unique()
    told = {(template, arm, copy): messages for template, arm, copy, messages in found.iter_rows()}
    if len(told) != found.height:
        problems.append("metrics of one cohort have different numbers of messages")
    if set(counted["rule"]) - {counting_rule(org)}:
        return Verdict(day, {"messages": told.get((None, None, None), 0)}, warnings=("counted by another org file",))
    for key in sorted({*told, *expected}, key=lambda key: [part or "" for part in key]):
        if told.get(key, 0) != expected.get(key, 0):
            name = " ".join(part for part in key if part) or "all templates together"
            problems.append(f"{name}: {told.get(key, 0)} messages, but message_outcomes holds {expected.get(key, 0)}")
    few = counted.filter(pl.col("successes") > pl.col("messages")).height
    if few:
        problems.append(f"{few} rows have more successes than messages")
    return Verdict(day, {"messages": told.get((None, None, None), 0)}, tuple(problems))
