"""Events of a message and what copy_daily counts of them, for tests."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, ESP_EVENTS
from justai_assets.events.event_stream import engagement_class
from justai_assets.events.message_outcomes import outcomes_of
from justai_assets.experiments.copy_daily import (
    count_copies,
    counts_of,
    people_of,
    sends_without_message,
)
from justai_assets.experiments.funnel import funnel_of
from justai_assets.orgs.org_model import Attribution, Org
from justai_assets.orgs.templates import Arm, Template
from justai_assets_tests.experiments.events import one_part

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


DAY = Days(date(2026, 1, 1), date(2026, 1, 1))


WELCOME = Template(
    id="welcome",
    key_metric="purchase",
    treatment=Arm(template_id="501", campaign_id="9001"),
    control=Arm(template_id="502", campaign_id="9002"),
)


RULE = Attribution(window_hours=24, windows={"signup": 36})


ARMS = {"treatment": ("501", "9001"), "control": ("502", "9002")}


def event(name, message, hours=0.0, arm="treatment", user="u1", machine=False, email=None):
    at = NOON + timedelta(hours=hours)
    template, campaign = ARMS.get(arm, (None, None))
    return {
        "event_id": f"{name} {message} {hours} {user}",
        "event_name": name,
        "raw_event_name": name,
        "event_timestamp": at,
        "event_date": at.date(),
        "message_id": message,
        "template_id": template,
        "campaign_id": campaign,
        "user_key": user,
        "email_key": email,
        "is_machine": machine,
        "door": "iterable_webhooks",
    }


def send(message, hours=0.0, **more):
    return event("emailSend", message, hours, **more)


def custom(name, message, hours):
    at = NOON + timedelta(hours=hours)
    return {
        "event_name": name,
        "event_timestamp": at,
        "event_date": at.date(),
        "door": "journey_webhooks",
        "window_hours": 24,
        "message_id": message,
        "is_attributed": message is not None,
    }


@dataclass(frozen=True)
class Found:
    counts: pl.DataFrame
    people: pl.DataFrame
    funnel: pl.DataFrame
    sends_without_message: int


def counted(engagement, conversions=(), days=DAY, templates=(WELCOME,), events=("purchase", "signup"), copies=None):
    """From events to counts, as the assets do it, without a lake between."""
    found = org(custom=(), templates=templates, experiments={"events": events} if events else {},
                attribution=RULE if events else Attribution())  # fmt: skip
    engaged = pl.DataFrame(list(engagement), schema=ESP_EVENTS.schema).with_columns(
        engagement_class(found).alias("event_class"),
        pl.lit(None, pl.Int32).alias("window_hours"),
        pl.lit(None, pl.Float64).alias("value"),
    )
    schema = {**ATTRIBUTED_EVENTS.schema, "value": pl.Float64()}
    converted = pl.DataFrame(list(conversions), schema=schema).with_columns(
        pl.lit("custom").alias("event_class"),
        *(pl.lit(None, pl.String).alias(name) for name in ("email_key", "user_key")),
        pl.lit(None, pl.Boolean).alias("is_machine"),
    )
    names = ("event_class", "event_name", "event_timestamp", "event_date", "message_id", "template_id", "campaign_id",
             "email_key", "user_key", "is_machine", "window_hours", "value")  # fmt: skip
    events = pl.concat([engaged.select(names), converted.select(names)])
    outcomes = outcomes_of(one_part(events.lazy(), days), days)
    if copies is not None:
        outcomes = outcomes.drop("copy_id").join(copies, on="message_id", how="left").select(outcomes.columns)
    rows = count_copies(outcomes.lazy(), found)
    return Found(
        counts_of(rows), people_of(outcomes.lazy(), found), funnel_of(rows),
        sends_without_message(outcomes.lazy(), templates),
    )  # fmt: skip


def whole(found):
    return found.funnel.filter(pl.col("template").is_null())


def successes(found, metric, hours=None, arm="treatment"):
    rows = found.counts.filter(pl.col("metric") == metric, pl.col("arm") == arm)
    rows = rows.filter(pl.col("window_hours") == hours) if hours else rows
    return rows["successes"].sum()


def org(**changes):
    doors = {"iterable_webhooks": {}, "journey_webhooks": {"events": {"1": "trial", "2": "call"}}}
    given = {"custom": ("journey_webhooks",), "attribution": RULE, "templates": (WELCOME,), "sources": doors}
    return Org(
        slug="acme", start_date=DAY.first, pseudonym_salt="env:S", engagement="iterable_webhooks", **given | changes
    )
