"""From a figure of a send cohort down to its messages, their events, the landing objects, and the rule.

For operators: it reads the restricted tables, and shows no column about a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from justai_assets.contract.days import Days, parse_day
from justai_assets.contract.errors import JustAIError
from justai_assets.contract.events import ENGAGEMENT_METRICS, LOOKBACK_DAYS, MAX_WINDOW_HOURS
from justai_assets.contract.tables import COHORT_RESTATEMENTS, MESSAGE_OUTCOMES, Table
from justai_assets.events.event_stream import CUSTOM, read_events
from justai_assets.experiments.arms import CONTROL, TREATMENT
from justai_assets.experiments.copy_daily import ANY_CONVERSION, FUNNEL_METRICS, MACHINE_OPEN, copy_counts
from justai_assets.experiments.metric_names import (
    OPEN,
    conversion,
    event_of,
    is_conversion,
    is_revenue,
)
from justai_assets.lake.store import Lake
from justai_assets.orgs.extra_columns import exact_sum
from justai_assets.orgs.org_model import Org
from justai_assets.orgs.templates import Arm, Template
from justai_assets.sources.lineage import stream_tables

SHOWN: Final = 20
_MICROSECONDS: Final = 3_600_000_000
_OPTIONAL: Final = ("arm", "copy", "window")
_UNKNOWN: Final = "not known"
_BY_PEOPLE: Final = "opens and clicks by machines do not count"


@dataclass(frozen=True)
class CohortFigure:
    """A figure of a send cohort: how many messages of a template succeeded.

    Attributes:
        template: the template's id in the org file.
        metric: as copy_daily spells it, or a custom event's name alone.
        send_date: day of the sends, UTC.
        arm: treatment or control; None: both.
        copy: a copy's id; None: all copies.
        window: hours; None: the org's own window for the metric.
    """

    template: str
    metric: str
    send_date: date
    arm: str | None = None
    copy: str | None = None
    window: int | None = None

    @classmethod
    def parse(cls, text: str) -> CohortFigure:
        """From `template=welcome-email,metric=purchase,send_date=2026-01-05`; arm, copy and window may follow."""
        given = dict(part.partition("=")[::2] for part in text.split(","))
        wanted = {"template", "metric", "send_date"}
        if not wanted <= set(given) <= wanted | set(_OPTIONAL) or not all(given.values()):
            raise JustAIError(
                f"{text!r} does not name a number",
                code="unclear_figure",
                mend="write template=welcome-email,metric=purchase,send_date=2026-01-05; arm=, copy= and window= are "
                "optional",
            )
        if given.get("arm") not in (None, TREATMENT, CONTROL):
            raise JustAIError(
                f"{given['arm']!r} is no arm", code="unknown_arm", mend="write arm=treatment or arm=control"
            )
        window = given.get("window")
        if window is not None and not window.isdecimal():
            raise JustAIError(f"{window!r} is not a number of hours", code="unclear_window", mend="write window=24")
        return cls(
            given["template"], given["metric"], parse_day(given["send_date"]),
            given.get("arm"), given.get("copy"), int(window) if window else None,
        )  # fmt: skip


def explain_cohort(org: Org, lake: Lake, figure: CohortFigure) -> Iterator[str]:
    """Tell what a figure of copy_daily is made of, recounted from message_outcomes and from the events below it.

    Raises:
        JustAIError: the org has no such template, metric or window.
    """
    template = template_of(org, figure.template)
    metric = _metric_of(figure.metric)
    is_custom = is_conversion(metric) or is_revenue(metric)
    hours = figure.window or (org.attribution.window_for(event_of(metric)) if is_custom else MAX_WINDOW_HOURS)
    rows = copy_counts(org, lake, Days(figure.send_date, figure.send_date)).filter(pl.col("template") == template.id)
    if rows.height and rows.filter(pl.col("metric") == metric, pl.col("window_hours") == hours).is_empty():
        known = sorted({f"{name} in {window} h" for name, window in rows.select("metric", "window_hours").rows()})
        raise JustAIError(
            f"{figure.metric} within {hours} h is not counted for {template.id}",
            code="figure_not_counted",
            mend=f"counted are {', '.join(known)}; name an event under experiments.events of the org file to count it",
        )
    what = f"{figure.metric} within {hours} h of the send"
    yield f"{what}, messages of {template.id} sent on {figure.send_date} (UTC), {org.slug}"
    for name, arm in arms_of(template):
        if figure.arm in (None, name):
            mine = rows.filter(pl.col("arm") == name, pl.col("metric") == metric, pl.col("window_hours") == hours)
            yield from _arm(org, lake, figure, name, arm, mine, metric, hours)
    who = "only opens by machines count, and no open by a person" if metric == MACHINE_OPEN else _BY_PEOPLE
    yield (
        "rule: a message counts on the day of its first send; a success is at least one such event at or after the "
        f"send and less than {hours} h after it; {who}"
    )
    if metric == ANY_CONVERSION:
        yield "rule: of custom events each name counts within the org's own window for it"
    if is_revenue(metric):
        yield "rule: revenue is the value of all these events, as it came; nothing is cut off; no value counts 0"
    yield from _moved(org, lake, figure, metric, hours)


def _metric_of(name: str) -> str:
    """The metric that a name means: a name that copy_daily knows, else a custom event."""
    is_whole = name in (*ENGAGEMENT_METRICS, *FUNNEL_METRICS) or is_conversion(name) or is_revenue(name)
    return name if is_whole else conversion(name)


def template_of(org: Org, name: str) -> Template:
    """The template of that id; JustAIError names those that the org has."""
    template = next((one for one in org.templates if one.id == name), None)
    if template is None:
        known = ", ".join(one.id for one in org.templates) or "none"
        raise JustAIError(f"{org.slug} has no template {name}", code="unknown_template", mend=f"it has {known}")
    return template


def arms_of(template: Template) -> Iterator[tuple[str, Arm]]:
    """The arms of a template with their names."""
    yield TREATMENT, template.treatment
    if template.control is not None:
        yield CONTROL, template.control


def _arm(
    org: Org, lake: Lake, figure: CohortFigure, name: str, arm: Arm, rows: pl.DataFrame, metric: str, hours: int
) -> Iterator[str]:
    if figure.copy is not None:
        rows = rows.filter(pl.col("copy_id") == figure.copy)
    is_known = not rows["successes"].null_count()
    yield (
        f"{name} (template {arm.template_id}, campaign {arm.campaign_id}): "
        f"{rows['successes'].sum() if is_known else _UNKNOWN} of "
        f"{rows['messages'].sum()} messages{_worth(rows, 'value', metric)}, says copy_daily"
    )
    for copy, messages, successes in rows.select("copy_id", "messages", "successes").sort("copy_id").rows():
        if copy is not None:
            worth = _worth(rows.filter(pl.col("copy_id") == copy), "value", metric)
            yield f"  copy {copy}: {_UNKNOWN if successes is None else successes} of {messages}{worth}"
    if not is_known:
        return
    day = Days(figure.send_date, figure.send_date)
    ids = (pl.col("template_id") == arm.template_id) & (pl.col("campaign_id") == arm.campaign_id)
    messages = lake.scan(org.slug, MESSAGE_OUTCOMES, day).filter(ids, pl.col("message_id").is_not_null())
    if figure.copy is not None:
        messages = messages.filter(pl.col("copy_id") == figure.copy)
    succeeded = messages.filter(_succeeded(metric, hours))
    found = succeeded.select("message_id", "sent_at", _brought(metric)).collect(engine="streaming")
    total = messages.select(pl.len()).collect(engine="streaming").item()
    yield f"  message_outcomes holds {found.height} of {total} messages{_worth(found, 'brought', metric)}"
    if found.height:
        shown = found["message_id"].sort()
        yield f"    messages: {', '.join(shown.head(SHOWN))}{_more(shown.len())}"
        yield from _files(org, lake, figure, found, metric, hours)


def _succeeded(metric: str, hours: int) -> pl.Expr:
    if metric in ENGAGEMENT_METRICS:
        return pl.col(f"first_{metric}").is_not_null()
    if metric == MACHINE_OPEN:
        return pl.col("first_machine_open").is_not_null() & pl.col("first_open").is_null()
    if metric == ANY_CONVERSION:
        return pl.col("first_conversion").is_not_null()
    if is_revenue(metric):
        return _brought(metric) > 0
    event = pl.element().struct.field
    name, after = event_of(metric), hours * _MICROSECONDS
    inside = (event("event_name") == name) & (event("first_after_us") < after)
    return pl.col("conversions").list.eval(inside).list.any().fill_null(value=False)


def _brought(metric: str) -> pl.Expr:
    """What a message brought by a metric of revenue; null of any other metric."""
    if not is_revenue(metric):
        return pl.lit(None, pl.Float64).alias("brought")
    event = pl.element().struct.field
    mine = pl.when(event("event_name") == event_of(metric)).then(event("value"))
    return pl.col("values").list.eval(mine).list.sum().fill_null(0.0).alias("brought")


def _worth(rows: pl.DataFrame, column: str, metric: str) -> str:
    return f", worth {rows.select(exact_sum(pl.col(column))).item() or 0.0:,.2f}" if is_revenue(metric) else ""


def _files(
    org: Org, lake: Lake, figure: CohortFigure, messages: pl.DataFrame, metric: str, hours: int
) -> Iterator[str]:
    """The events behind the messages that succeeded, by the landing object that brought them."""
    kind = OPEN if metric == MACHINE_OPEN else metric if metric in ENGAGEMENT_METRICS else CUSTOM
    days = Days(figure.send_date, figure.send_date + timedelta(days=LOOKBACK_DAYS))
    age, own = pl.col("event_timestamp") - pl.col("sent_at"), pl.col("window_hours")
    events = (
        read_events(org, lake, days)
        .filter(pl.col("event_class") == kind, pl.col("is_machine").fill_null(value=False) == (metric == MACHINE_OPEN))
        .join(messages.lazy(), on="message_id")
        .filter(age >= pl.duration(), age < pl.duration(hours=own if metric == ANY_CONVERSION else hours))
        .select("event_name", "event_timestamp", "message_id", "value")
        .collect(engine="streaming")
    )
    is_named = kind == CUSTOM and metric != ANY_CONVERSION
    wanted = events.filter(pl.col("event_name") == event_of(metric)) if is_named else events
    followed = f"{wanted.height} events of {wanted['message_id'].n_unique()} messages"
    yield f"    {followed}{_worth(wanted, 'value', metric)} followed"
    for table in stream_tables(org):
        yield from _objects(org, lake, table, days, wanted)


def _objects(org: Org, lake: Lake, table: Table, days: Days, events: pl.DataFrame) -> Iterator[str]:
    if "source_file" not in table.schema:
        yield f"    from the objects of {org.engagement} for {days} (a unified stream does not name its file)"
        return
    keys = ("message_id", "event_name", "event_timestamp")
    rows = lake.scan(org.slug, table, days).select(*keys, "source_file")
    found = (
        rows.join(events.lazy(), on=list(keys), how="semi").group_by("source_file").len().collect(engine="streaming")
    )
    ordered = found.sort("len", "source_file", descending=[True, False])
    for file, count in ordered.head(SHOWN).iter_rows():
        yield f"    {count} from {file}"
    if ordered.height > SHOWN:
        yield f"    and {ordered.height - SHOWN} more objects"


def _moved(org: Org, lake: Lake, figure: CohortFigure, metric: str, hours: int) -> Iterator[str]:
    day = Days(figure.send_date, figure.send_date)
    rows = lake.scan(org.slug, COHORT_RESTATEMENTS, day).filter(pl.col("template") == figure.template).collect()
    rows = rows.filter(pl.col("metric").is_null() | ((pl.col("metric") == metric) & (pl.col("window_hours") == hours)))
    for row in rows.sort("restated_at").iter_rows(named=True):
        because = (row["files"] or row["upstream"] or "not recorded").replace("\n", ", ")
        ends = ("value_before", "value_after") if row["before"] is None else ("before", "after")
        before, after = (f"{row[name]:,.2f}" if row["before"] is None else row[name] for name in ends)
        of_copy = f", copy {row['copy_id']}," if row["copy_id"] else ""
        yield (
            f"restated {row['restated_at']:%Y-%m-%d %H:%M:%S} UTC: {row['number']} of {row['arm']}{of_copy} "
            f"{before} → {after}, because of {because}"
        )


def _more(count: int) -> str:
    return f" and {count - SHOWN} more" if count > SHOWN else ""
