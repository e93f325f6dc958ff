"""From a message or a number down to events, landing objects and the rule that joined them.

For operators: it reads the restricted tables, and shows no column about a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl

from justai_assets.contract.days import Days, parse_day
from justai_assets.contract.errors import JustAIError
from justai_assets.contract.events import REACTIONS
from justai_assets.contract.reasons import UNATTRIBUTED
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    ATTRIBUTION_METRICS,
    RESTATEMENTS,
    UNIFIED_EVENTS,
)
from justai_assets.events.event_stream import CUSTOM, read_events, send_names
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org
from justai_assets.orgs.org_warnings import closest, event_names
from justai_assets.orgs.templates import Arm, Template
from justai_assets.reporting.explain_cohort import arms_of, template_of
from justai_assets.sources.lineage import stream_tables

SHOWN: Final = 20
_CLASSES: Final = {name: one.events for name, one in REACTIONS.items() if one.is_metric}


@dataclass(frozen=True)
class Number:
    """A number to explain: an event of a template on a day (UTC)."""

    template: str
    event: str
    day: date

    @classmethod
    def parse(cls, text: str) -> Number:
        """From `template=welcome-email,event=purchase,date=2026-01-05`; JustAIError says what is missing."""
        given = dict(part.partition("=")[::2] for part in text.split(","))
        wanted = ("template", "event", "date")
        if set(given) != set(wanted) or not all(given.values()):
            raise JustAIError(
                f"{text!r} does not name a number",
                code="unclear_figure",
                mend="write template=welcome-email,event=purchase,date=2026-01-05 for a day of events, or "
                "template=welcome-email,metric=purchase,send_date=2026-01-05 for a send cohort",
            )
        return cls(given["template"], given["event"], parse_day(given["date"]))


def explain_message(org: Org, lake: Lake, message_id: str, days: Days | None = None) -> Iterator[str]:
    """Everything the lake holds of one message, in order of time, each line with where it came from.

    Args:
        org: the org.
        lake: the lake.
        message_id: the message, case-sensitive.
        days: days to look at; all of them when None, which reads the whole table's message ids.

    Raises:
        JustAIError: no event of such a message.
    """
    mine = pl.col("message_id") == message_id
    table = stream_tables(org)[0]
    events = lake.scan(org.slug, table, days).filter(mine).collect(engine="streaming").sort("event_timestamp")
    caused = (
        lake.scan(org.slug, ATTRIBUTED_EVENTS, days).filter(mine).collect(engine="streaming").sort("event_timestamp")
    )
    if events.is_empty() and caused.is_empty():
        raise JustAIError(
            f"{org.slug} has no event of message {message_id}",
            code="unknown_message",
            mend="ids are case-sensitive; widen --from and --to, or see the quarantine",
        )
    ids = (events if events.height else caused).select("template_id", "campaign_id").row(0)
    yield f"message {message_id} of {org.slug}: template {ids[0]}, campaign {ids[1]} ({_arm_name(org, ids)})"
    for row in events.iter_rows(named=True):
        machine = ", by a machine" if row.get("is_machine") else ""
        yield f"  {_moment(row['event_timestamp'])}  {row['event_name']}{machine}{_origin(row, org)}"
    for row in caused.iter_rows(named=True):
        yield f"  {_moment(row['event_timestamp'])}  {row['event_name']}: {_why(row)}{_origin(row, org)}"
    if not org.is_unified:
        yield _rule(org)
        kept = (
            lake.scan(org.slug, UNIFIED_EVENTS, days).filter(mine).select(pl.len()).collect(engine="streaming").item()
        )
        due = events.height + caused.filter("is_attributed").height
        yield f"unified_events holds {kept} of its events; {due} are due."


def explain_number(org: Org, lake: Lake, number: Number) -> Iterator[str]:
    """A number of attribution_metrics, recounted from the events below it, with their landing objects.

    Raises:
        JustAIError: the org has no such template, or no event of that name on any built day or in its file.
    """
    template = template_of(org, number.template)
    hours, day = org.attribution.window_for(number.event), Days(number.day, number.day)
    of_class = _CLASSES.get(number.event)
    names = sorted(of_class - set(send_names(org)) if of_class else {number.event})
    rows = lake.scan(org.slug, ATTRIBUTION_METRICS, day).filter(pl.col("event_name").is_in(names)).collect()
    if rows.is_empty():
        _require_known(org, lake, number)
    yield f"{number.event} of {template.id} on {number.day} (UTC, the day of the event), {org.slug}"
    for name, arm in arms_of(template):
        ours = rows.filter((pl.col("template_id") == arm.template_id) & (pl.col("campaign_id") == arm.campaign_id))
        own = ours.filter(pl.col("window_hours") == hours)
        yield f"{name} (template {arm.template_id}, campaign {arm.campaign_id}): {own['events'].sum()} events"
        if own["attributed_conversions"].sum():
            by_window = ours.group_by("window_hours").agg(pl.col("attributed_conversions").sum()).sort("window_hours")
            said = ", ".join(f"{count} within {window} h" for window, count in by_window.iter_rows())
            yield f"  conversions: {said}; the org's own window is {hours} h"
        yield from _below(org, lake, names, arm, day, hours)
    yield from _without_message(org, lake, number, day)
    yield _rule(org)
    yield from _moved(org, lake, template, names, day)


def _require_known(org: Org, lake: Lake, number: Number) -> None:
    names = lake.scan(org.slug, ATTRIBUTION_METRICS).select("event_name").unique().collect()["event_name"]
    known = sorted({*names, *_CLASSES, *(name for _, name in event_names(org))})
    if number.event not in known:
        guess = closest(number.event, known)
        raise JustAIError(
            f"{org.slug} has no event {number.event} on any built day",
            code="unknown_event",
            mend=f"write {guess}" if guess else f"it has {', '.join(known)}",
        )


def _below(org: Org, lake: Lake, names: list[str], arm: Arm, day: Days, hours: int) -> Iterator[str]:
    ids = (pl.col("template_id") == arm.template_id) & (pl.col("campaign_id") == arm.campaign_id)
    mine = ids & pl.col("event_name").is_in(names)
    stream = (
        read_events(org, lake, day)
        .filter(mine)
        .filter(
            (pl.col("event_class") != CUSTOM)
            | (pl.col("event_timestamp") - pl.col("send_timestamp") < timedelta(hours=hours))
        )
    )
    counted = stream.select("message_id", "event_name", "event_timestamp")
    for table in stream_tables(org):
        keys = ["message_id", "event_name", "event_timestamp"]
        rows = lake.scan(org.slug, table, day).filter(mine)
        found = rows.join(counted, on=keys, how="semi", nulls_equal=True).collect(engine="streaming")
        if found.is_empty():
            continue
        messages = found["message_id"].drop_nulls().unique().sort()
        yield f"  {table.name} holds {found.height} of them, of {messages.len()} messages"
        yield f"    messages: {', '.join(messages.head(SHOWN))}{_more(messages.len())}"
        if "source_file" in found.columns:
            files = found.group_by("source_file").len().sort("len", "source_file", descending=[True, False])
            for file, count in files.head(SHOWN).iter_rows():
                yield f"    {count} from {file}"
            yield from ([f"    and {files.height - SHOWN} more files"] if files.height > SHOWN else [])
        else:
            yield f"    from the drops of {org.engagement} for {day} (a unified stream does not name its file)"


def _without_message(org: Org, lake: Lake, number: Number, day: Days) -> Iterator[str]:
    rows = lake.scan(org.slug, ATTRIBUTED_EVENTS, day).filter(
        pl.col("event_name") == number.event, pl.col("is_attributed").not_()
    )
    for reason, count in rows.group_by("reason").len().collect().sort("reason").iter_rows():
        yield f"no message of any template: {count} {reason}. {UNATTRIBUTED[reason]}"


def _moved(org: Org, lake: Lake, template: Template, names: list[str], day: Days) -> Iterator[str]:
    rows = lake.scan(org.slug, RESTATEMENTS, day).filter(pl.col("event_name").is_in(names)).collect()
    ids = {(arm.template_id, arm.campaign_id) for _, arm in arms_of(template)}
    for row in rows.sort("restated_at").iter_rows(named=True):
        if (row["template_id"], row["campaign_id"]) in ids:
            window = f" within {row['window_hours']} h" if row["window_hours"] else ""
            because = (row["files"] or row["upstream"] or "not recorded").replace("\n", ", ")
            yield (
                f"restated {_moment(row['restated_at'])}: {row['number']}{window} of template {row['template_id']} "
                f"{row['before']} → {row['after']}, because of {because}"
            )


def _arm_name(org: Org, ids: tuple[str, str]) -> str:
    for template in org.templates:
        for name, arm in arms_of(template):
            if (arm.template_id, arm.campaign_id) == ids:
                return f"{template.id}, {name}"
    return "no template of the org file"


def _why(row: dict[str, object]) -> str:
    sent, at = row["send_timestamp"], row["event_timestamp"]
    age = at - sent if isinstance(at, datetime) and isinstance(sent, datetime) else None
    if row["is_attributed"]:
        return f"attributed, {age} after the send, inside {row['window_hours']} h"
    return f"not attributed, {age} after the send, outside {row['window_hours']} h"


def _rule(org: Org) -> str:
    if org.is_unified:
        return (
            f"rule: the sender of {org.engagement} gave each event its message; here its age is measured from the send "
            "of that message, on its day or the three before"
        )
    own = ", ".join(f"{name} {hours} h" for name, hours in sorted(org.attribution.windows.items()))
    return (
        f"rule: the latest send of the same person at or before the event, less than {org.attribution.window_hours} h "
        f"before it{f' ({own})' if own else ''}; sends are {', '.join(org.attribution.send_events)}"
    )


def _origin(row: dict[str, object], org: Org) -> str:
    if "source_file" not in row:
        return f"  ← {org.engagement}"
    place = "" if row.get("source_row") is None else f" row {row['source_row']}"
    return f"  ← {row['door']}: {row['source_file']}{place}"


def _more(count: int) -> str:
    return f" and {count - SHOWN} more" if count > SHOWN else ""


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
