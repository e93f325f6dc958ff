"""What a row is of the tables that hold results: outcomes of messages, counts, decisions, and what moved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from justai_assets.contract.events import REACTIONS
from justai_assets.contract.table import COUNT, EVENT_DATE, MESSAGE, STRING, UTC_TIMESTAMP, Column, Table

ATTRIBUTION_METRICS: Final = Table(
    "attribution_metrics",
    (
        EVENT_DATE,
        Column("template_id", STRING, "Null: events without a message."),
        Column("campaign_id", STRING, "Null: events without a message."),
        Column("event_name", STRING, "What is counted.", nullable=False),
        Column("window_hours", pl.Int32(), "The attribution window this row is for.", nullable=False),
        Column("events", pl.Int64(), "Events of this name.", nullable=False),
        Column("messages", pl.Int64(), "Distinct messages among them.", nullable=False),
        Column("attributed_conversions", pl.Int64(), "Custom events attributed in this window.", nullable=False),
        Column("sends", pl.Int64(), "Sends of the template and campaign that day.", nullable=False),
        Column("opens", pl.Int64(), "Opens, machine opens included.", nullable=False),
        Column("machine_opens", pl.Int64(), "Opens by mail proxies and bots; null where unknown."),
        Column("clicks", pl.Int64(), "Clicks of the template and campaign that day.", nullable=False),
        Column("unsubscribes", pl.Int64(), "Unsubscribes of the template and campaign that day.", nullable=False),
    ),
    "One event_date × template × campaign × event name × window.",
    marks_empty_days=True,
)

_FLOAT = pl.Float64()

EXPERIMENT_RESULTS: Final = Table(
    "experiment_results",
    (
        Column("event_date", pl.Date(), "Last send day of the period the row is about; the partition.", nullable=False),
        Column("template", STRING, "The template's id in the org file; null: all templates together."),
        Column(
            "metric",
            STRING,
            "open, click, unsubscribe, conversion:<event name> or revenue:<event name>.",
            nullable=False,
        ),
        Column("window_hours", pl.Int32(), "Hours after the send in which a success counts.", nullable=False),
        Column("is_own_window", pl.Boolean(), "The window that the org decides by.", nullable=False),
        Column("is_key", pl.Boolean(), "The metric that decides, chosen in advance.", nullable=False),
        Column("copy_id", STRING, "The copy; null for the whole treatment."),
        Column("first_day", pl.Date(), "First send day compared."),
        Column("last_day", pl.Date(), "Last send day compared."),
        *(
            Column(f"{arm}_{name}", dtype, f"{doc}, {arm}.")
            for arm in ("treatment", "control")
            for name, dtype, doc in (
                ("messages", COUNT, "Messages sent"),
                ("successes", COUNT, "Messages that succeeded; of revenue, those that brought any"),
                ("rate", _FLOAT, "Successes a message; of revenue, value a message"),
            )
        ),
        *(
            Column(f"{number}{end}", _FLOAT, f"{doc}{where}")
            for number, doc in (("difference", "Difference of the rates"), ("lift", "Relative lift over the control"))
            for end, where in (
                ("", "."),
                ("_low", ": lower end for one look; null: unbounded."),
                ("_high", ": upper end for one look; null: unbounded."),
                ("_always_low", ": lower end that may be read every day; null: unbounded."),
                ("_always_high", ": upper end that may be read every day; null: unbounded."),
            )
        ),
        Column("p_value", _FLOAT, "For one look; null when an arm is empty."),
        Column("p_adjusted", _FLOAT, "p_value after Holm over its family."),
        Column("always_valid_p", _FLOAT, "For a look every day."),
        Column("always_valid_p_adjusted", _FLOAT, "always_valid_p after Holm over its family."),
        Column("variance", STRING, "Clustered by user, by message, or partly: some have no key.", nullable=False),
        Column("treatment_design_effect", _FLOAT, "Messages that tell as much as one independent one, treatment."),
        Column("control_design_effect", _FLOAT, "Messages that tell as much as one independent one, control."),
        Column("is_enough", pl.Boolean(), "Both arms have the minimum sample.", nullable=False),
        Column("power", _FLOAT, "Chance that one look at this sample shows the target lift."),
        Column("detectable_lift", _FLOAT, "Smallest lift the always-valid interval would show by now."),
        Column("days_left", COUNT, "Days until the target lift would show at today's pace."),
        Column("note", STRING, "Why a value is missing.", nullable=False),
        Column("control_share", _FLOAT, "Share of the control, as found."),
        Column("expected_control_share", _FLOAT, "Share of the control, as configured."),
        Column("sample_ratio_p", _FLOAT, "p-value of the split, for one look."),
        Column("sample_ratio_always_valid_p", _FLOAT, "p-value of the split, for a look every day."),
        Column("verdict", STRING, "What to do, as a code; a reading for all templates together.", nullable=False),
        Column("reason", STRING, "What led to it, as a code.", nullable=False),
        Column("decision", STRING, "What to do, in one sentence.", nullable=False),
    ),
    "One template × metric × window from its first day to the partition's, one row a copy below it, and all templates.",
)

CONVERSIONS: Final = pl.List(pl.Struct({"event_name": pl.String(), "first_after_us": pl.Int64(), "events": pl.Int64()}))
"""Per custom event that followed a message within 72 h: microseconds to the first one, and how many there were."""

VALUES: Final = pl.List(pl.Struct({"event_name": pl.String(), "value": pl.Float64()}))
"""Per custom event name: what the events that followed a message within the org's own window for it were worth."""


def _reactions() -> Iterator[tuple[str, str, str]]:
    """Name, plural and what it is, of each reaction by people and of each by machines."""
    for name, one in REACTIONS.items():
        by_people = " by a person (or by nobody knows whom)" if one.machines else ""
        yield name, one.plural * one.is_metric, f"{name}{by_people}"
        if one.machines:
            yield f"machine_{name}", f"machine_{one.plural}" * one.is_metric, f"{name} by {one.machines}"


REACTION_COUNTS: Final = tuple(plural for _, plural, _ in _reactions() if plural)
"""The columns of message_outcomes that count reactions."""

MESSAGE_OUTCOMES: Final = Table(
    "message_outcomes",
    (
        Column("send_date", pl.Date(), "Day of the first send, UTC; the partition.", nullable=False),
        Column("message_id", STRING, "The message; null: the sends of the ids that carry no message id."),
        Column("sent_at", UTC_TIMESTAMP, "The first send, UTC.", nullable=False),
        *MESSAGE[1:],
        Column("copy_id", STRING, "The copy that Generate served for it; null: not known."),
        Column("person", STRING, "Least email pseudonym of the linked keys, else the user id's; null: not known."),
        Column("sends", pl.Int64(), "Sends within 72 h of the first one, that one included.", nullable=False),
        Column("is_machine_known", pl.Boolean(), "The source tells opens by machines apart.", nullable=False),
        *(Column(f"first_{name}", UTC_TIMESTAMP, f"First {what} within 72 h, UTC.") for name, _, what in _reactions()),
        *(
            Column(plural, COUNT, f"Each {what} within 72 h.", nullable=False)
            for _, plural, what in _reactions()
            if plural
        ),
        Column("first_conversion", UTC_TIMESTAMP, "First custom event within the org's own window for its name, UTC."),
        Column("attributed_conversions", COUNT, "Custom events within the org's own window for each.", nullable=False),
        Column("conversions", CONVERSIONS, "Custom events attributed to it within 72 h, one entry an event name."),
        Column("values", VALUES, "What these were worth within the org's own window, one entry an event name."),
    ),
    "What became of one message within 72 h of its first send. Sent again within three days, it is the same message.",
    partition_by=("send_date",),
    personal=True,
    code_version=2,
    marks_empty_days=True,
)

COPY_DAILY: Final = Table(
    "copy_daily",
    (
        Column("send_date", pl.Date(), "Day of the sends, UTC; the partition.", nullable=False),
        Column("template", STRING, "The template's id in the org file; null: all of them, each message once."),
        Column("arm", STRING, "treatment or control; null: both together."),
        Column("copy_id", STRING, "The copy served; null where it is not known."),
        Column("metric", STRING, "open, click, unsubscribe, conversion:<event name>, revenue:<event name>, "
               "machine_open, any_conversion.",
               nullable=False),
        Column("window_hours", pl.Int32(), "Hours after the send in which a success counts.", nullable=False),
        Column("is_own_window", pl.Boolean(), "The window that the org decides by.", nullable=False),
        Column("messages", COUNT, "Messages sent.", nullable=False),
        Column("successes", COUNT, "Messages among them that succeeded; null: not known."),
        Column("value", _FLOAT, "Of revenue: what the events of these messages were worth; else null."),
        Column("value_squares", _FLOAT, "Of revenue: the squares of what each message brought, added up; else null."),
        Column("rule", STRING, "Hash of the templates, events and windows it was counted by.", nullable=False),
    ),
    "One send_date × template × arm × copy × metric × window. Every rate comes from here.",
    partition_by=("send_date",),
    marks_empty_days=True,
)  # fmt: skip

RESTATEMENTS: Final = Table(
    "restatements",
    (
        EVENT_DATE,
        Column("restated_at", UTC_TIMESTAMP, "When it was computed anew, UTC.", nullable=False),
        Column("template_id", STRING, "Template of the sending system; null: events without a template."),
        Column("campaign_id", STRING, "Campaign of the sending system; null: events without one."),
        Column("event_name", STRING, "What is counted.", nullable=False),
        Column("number", STRING, "events or attributed_conversions.", nullable=False),
        Column("window_hours", pl.Int32(), "The window of attributed_conversions; null for events."),
        Column("before", COUNT, "The number as it was given.", nullable=False),
        Column("after", COUNT, "The number as it is now.", nullable=False),
        Column("given_at", UTC_TIMESTAMP, "When the old number was computed, UTC.", nullable=False),
        Column("upstream", STRING, "Versions of the upstream tables, old → new; null where not recorded."),
        Column("files", STRING, "Landing objects that came, changed or went, one a line."),
    ),
    "A number of a finished day that moved after it was first given, and why.",
)

COHORT_RESTATEMENTS: Final = Table(
    "cohort_restatements",
    (
        Column("send_date", pl.Date(), "Day of the sends, UTC; the partition.", nullable=False),
        Column("restated_at", UTC_TIMESTAMP, "When it was computed anew, UTC.", nullable=False),
        Column("template", STRING, "The template's id in the org file.", nullable=False),
        Column("arm", STRING, "treatment or control.", nullable=False),
        Column("copy_id", STRING, "The copy served; null where it is not known."),
        Column("metric", STRING, "As in copy_daily; null: the messages themselves."),
        Column("window_hours", pl.Int32(), "Hours after the send in which a success counts."),
        Column("number", STRING, "messages, successes, or value: what the events of a revenue metric were worth.",
               nullable=False),
        Column("before", COUNT, "The count as it was given; null of value."),
        Column("after", COUNT, "The count as it is now; null of value."),
        Column("value_before", _FLOAT, "The value as it was given; null of counts."),
        Column("value_after", _FLOAT, "The value as it is now; null of counts."),
        Column("given_at", UTC_TIMESTAMP, "When the old number was computed, UTC.", nullable=False),
        Column("upstream", STRING, "Versions of the upstream tables, old → new; null where not recorded."),
        Column("files", STRING, "Landing objects that came, changed or went, one a line."),
    ),
    "A number of a closed send cohort that moved after it was first given, and why.",
    partition_by=("send_date",),
)  # fmt: skip
