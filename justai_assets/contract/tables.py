"""What a row is, table by table. Everything that reads or writes the lake takes its columns from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

UTC_TIMESTAMP: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Column:
    """One column: its name, Polars type, whether null is allowed, and what it means."""

    name: str
    dtype: pl.DataType
    doc: str
    nullable: bool = True


@dataclass(frozen=True)
class Table:
    """A Delta table of an org.

    Attributes:
        name: last part of its path and of its asset key.
        columns: in order.
        partition_by: Hive partition columns, the day first: event_date, or send_date where rows are about sends.
        personal: True when rows are about one person, by pseudonym; such tables are restricted.
        doc: what one row is.
    """

    name: str
    columns: tuple[Column, ...]
    doc: str
    partition_by: tuple[str, ...] = ("event_date",)
    personal: bool = False

    @property
    def schema(self) -> pl.Schema:
        """Names and types, in order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    @property
    def day_column(self) -> str:
        """The partition column that holds the day: the day of the event, or of the send."""
        return self.partition_by[0]

    @property
    def required(self) -> tuple[str, ...]:
        """Columns in which null is a broken contract."""
        return tuple(column.name for column in self.columns if not column.nullable)


DECLARED: Final = "Declared by the org file, under extra_columns of its source."
"""What is said of a column beyond the contract; the mark by which one is known."""

_STRING, _COUNT = pl.String(), pl.Int64()
_EVENT_TIMESTAMP = Column("event_timestamp", UTC_TIMESTAMP, "When it happened, UTC.", nullable=False)
_EVENT_DATE = Column("event_date", pl.Date(), "DATE(event_timestamp) in UTC; the partition.", nullable=False)
_MESSAGE = (
    Column("message_id", _STRING, "The message: spans its send, opens and clicks. Case-sensitive."),
    Column("template_id", _STRING, "Template identifier of the sending system."),
    Column("campaign_id", _STRING, "Campaign identifier of the sending system."),
)
_KEYS = (
    Column("email_key", _STRING, "Keyed pseudonym of the normalised email, 32 hex digits."),
    Column("user_key", _STRING, "Keyed pseudonym of the trimmed user id, 32 hex digits."),
)
_SOURCE = (
    Column("door", _STRING, "The door it came through.", nullable=False),
    Column("source_file", _STRING, "Landing object, relative to the landing root."),
)

ESP_EVENTS: Final = Table(
    "esp_events",
    (
        Column("event_id", _STRING, "Identity: the same id is the same event.", nullable=False),
        Column("event_name", _STRING, "Canonical name.", nullable=False),
        Column("raw_event_name", _STRING, "Name as the sender spells it.", nullable=False),
        _EVENT_TIMESTAMP,
        _EVENT_DATE,
        Column("received_at", UTC_TIMESTAMP, "When the webhook arrived, UTC."),
        *_MESSAGE,
        *_KEYS,
        Column("is_machine", pl.Boolean(), "Opened by a mail proxy, or opened or clicked by a bot.", nullable=False),
        Column("is_authenticated", pl.Boolean(), "False: no credential vouched for its sender, which the org allows."),
        *_SOURCE,
    ),
    "One engagement event (send, open, click, …), typed, deduplicated, pseudonymous.",
    personal=True,
)

CUSTOM_EVENTS: Final = Table(
    "custom_events",
    (
        Column("event_id", _STRING, "Identity where the door gives one; null for warehouse drops."),
        Column("event_name", _STRING, "The org's name for what happened.", nullable=False),
        _EVENT_TIMESTAMP,
        _EVENT_DATE,
        *_KEYS,
        Column("template_id", _STRING, "Template named by the event itself (Chameleon tour)."),
        Column("copy_id", _STRING, "Copy variant named by the event itself (Chameleon)."),
        *_SOURCE,
        Column("source_row", pl.Int64(), "Row within source_file, from 0; null where event_id identifies."),
    ),
    "One custom event (purchase, signup, …); honest repeats are separate rows.",
    personal=True,
)

ATTRIBUTED_EVENTS: Final = Table(
    "attributed_events",
    (
        *CUSTOM_EVENTS.columns[:4],
        *_KEYS,
        Column("copy_id", _STRING, "Copy variant named by the event itself (Chameleon)."),
        *_SOURCE,
        Column("source_row", pl.Int64(), "Row within source_file, from 0; null where event_id identifies."),
        Column("window_hours", pl.Int32(), "The org's window for this event name.", nullable=False),
        Column("send_timestamp", UTC_TIMESTAMP, "Time of the latest prior send, if less than 72 h before."),
        *_MESSAGE,
        Column("is_attributed", pl.Boolean(), "The send is inside window_hours.", nullable=False),
        Column("reason", _STRING, "Why it is not attributed; null when it is."),
    ),
    "Every custom event once, with its latest prior send inside 72 h, or the reason for none.",
    personal=True,
)

UNIFIED_EVENTS: Final = Table(
    "unified_events",
    (
        Column("event_name", _STRING, "emailSend, emailOpen, …, purchase, signup, …", nullable=False),
        _EVENT_TIMESTAMP,
        _EVENT_DATE,
        *_MESSAGE,
    ),
    "THE CONTRACT: engagement events, and the custom events that a message caused. No person in it.",
)

DELTA_SHARE: Final = Table(
    "delta_share",
    UNIFIED_EVENTS.columns,
    "Mirror of the org's shared table: its rows that keep the contract, in the contract's columns.",
)

ATTRIBUTION_METRICS: Final = Table(
    "attribution_metrics",
    (
        _EVENT_DATE,
        Column("template_id", _STRING, "Null: events without a message."),
        Column("campaign_id", _STRING, "Null: events without a message."),
        Column("event_name", _STRING, "What is counted.", nullable=False),
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
)

QUARANTINE: Final = Table(
    "quarantine",
    (
        Column("event_date", pl.Date(), "Day of the folder; null for the default partition."),
        Column("asset", _STRING, "The asset that refused it.", nullable=False),
        Column("door", _STRING, "The door it came through.", nullable=False),
        Column("reason", _STRING, "Code; the meaning is in contract/reasons.py.", nullable=False),
        Column("source_file", _STRING, "Landing object, relative to the landing root.", nullable=False),
        Column("source_row", pl.Int64(), "Record within it, from 0; null when the whole file is meant."),
        Column("record_id", _STRING, "Envelope id, where there is one."),
        Column(
            "records", pl.Int64(), "Records this row stands for: more than 1 only for a whole file.", nullable=False
        ),
    ),
    "One refused record, or one refused file: where it lies and why.",
    partition_by=("event_date", "asset"),
)

FATES: Final = Table(
    "fates",
    (
        Column("event_date", pl.Date(), "Day of the folder; null for the default partition."),
        Column("asset", _STRING, "The asset that accounts for the records.", nullable=False),
        Column("door", _STRING, "The door, or the upstream asset.", nullable=False),
        Column(
            "fate",
            _STRING,
            "An outcome: received, accepted, duplicate, quarantined, attributed, unattributed. Or a note: "
            "unread_column, placeholder_id, placeholder_people, shared_id, shared_people.",
            nullable=False,
        ),
        Column("reason", _STRING, "Code, for quarantined and unattributed; for a note the column or field."),
        Column("records", pl.Int64(), "How many.", nullable=False),
    ),
    "How many records of a day met which fate. received = accepted + duplicate + quarantined.",
    partition_by=("event_date", "asset"),
)

_FLOAT = pl.Float64()

EXPERIMENT_RESULTS: Final = Table(
    "experiment_results",
    (
        Column("event_date", pl.Date(), "Last send day of the period the row is about; the partition.", nullable=False),
        Column("template", _STRING, "The template's id in the org file; null: all templates together."),
        Column(
            "metric",
            _STRING,
            "open, click, unsubscribe, conversion:<event name> or revenue:<event name>.",
            nullable=False,
        ),
        Column("window_hours", pl.Int32(), "Hours after the send in which a success counts.", nullable=False),
        Column("is_own_window", pl.Boolean(), "The window that the org decides by.", nullable=False),
        Column("is_key", pl.Boolean(), "The metric that decides, chosen in advance.", nullable=False),
        Column("copy_id", _STRING, "The copy; null for the whole treatment."),
        Column("first_day", pl.Date(), "First send day compared."),
        Column("last_day", pl.Date(), "Last send day compared."),
        *(
            Column(f"{arm}_{name}", dtype, f"{doc}, {arm}.")
            for arm in ("treatment", "control")
            for name, dtype, doc in (
                ("messages", _COUNT, "Messages sent"),
                ("successes", _COUNT, "Messages that succeeded; of revenue, those that brought any"),
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
        Column("variance", _STRING, "Clustered by user, by message, or partly: some have no key.", nullable=False),
        Column("treatment_design_effect", _FLOAT, "Messages that tell as much as one independent one, treatment."),
        Column("control_design_effect", _FLOAT, "Messages that tell as much as one independent one, control."),
        Column("is_enough", pl.Boolean(), "Both arms have the minimum sample.", nullable=False),
        Column("power", _FLOAT, "Chance that one look at this sample shows the target lift."),
        Column("detectable_lift", _FLOAT, "Smallest lift the always-valid interval would show by now."),
        Column("days_left", _COUNT, "Days until the target lift would show at today's pace."),
        Column("note", _STRING, "Why a value is missing.", nullable=False),
        Column("control_share", _FLOAT, "Share of the control, as found."),
        Column("expected_control_share", _FLOAT, "Share of the control, as configured."),
        Column("sample_ratio_p", _FLOAT, "p-value of the split, for one look."),
        Column("sample_ratio_always_valid_p", _FLOAT, "p-value of the split, for a look every day."),
        Column("verdict", _STRING, "What to do, as a code; a reading for all templates together.", nullable=False),
        Column("reason", _STRING, "What led to it, as a code.", nullable=False),
        Column("decision", _STRING, "What to do, in one sentence.", nullable=False),
    ),
    "One template × metric × window from its first day to the partition's, one row a copy below it, and all templates.",
)

SERVED_COPIES: Final = Table(
    "served_copies",
    (
        Column("event_id", _STRING, "Identity of the call.", nullable=False),
        Column("event_timestamp", UTC_TIMESTAMP, "When Generate was called, UTC.", nullable=False),
        _EVENT_DATE,
        Column("message_id", _STRING, "The message it was called for: tracking_id.", nullable=False),
        Column("copy_id", _STRING, "The copy that was served.", nullable=False),
    ),
    "One call of Generate that served a copy for a message.",
    personal=True,
)

CONVERSIONS: Final = pl.List(pl.Struct({"event_name": pl.String(), "first_after_us": pl.Int64(), "events": pl.Int64()}))
"""Per custom event that followed a message within 72 h: microseconds to the first one, and how many there were."""

VALUES: Final = pl.List(pl.Struct({"event_name": pl.String(), "value": pl.Float64()}))
"""Per custom event name: what the events that followed a message within the org's own window for it were worth."""

_FIRSTS: Final = (
    ("first_open", "open by a person (or by nobody knows whom)"),
    ("first_machine_open", "open by a mail proxy or bot"),
    ("first_click", "click by a person (or by nobody knows whom)"),
    ("first_machine_click", "click by a bot"),
    ("first_unsubscribe", "unsubscribe"),
    ("first_bounce", "bounce"),
)

_REACTIONS: Final = (
    ("opens", "Opens by people"), ("machine_opens", "Opens by mail proxies and bots"), ("clicks", "Clicks by people"),
    ("machine_clicks", "Clicks by bots"), ("unsubscribes", "Unsubscribes"),
)  # fmt: skip

MESSAGE_OUTCOMES: Final = Table(
    "message_outcomes",
    (
        Column("send_date", pl.Date(), "Day of the first send, UTC; the partition.", nullable=False),
        Column("message_id", _STRING, "The message; null: the sends of the ids that carry no message id."),
        Column("sent_at", UTC_TIMESTAMP, "The first send, UTC.", nullable=False),
        *_MESSAGE[1:],
        Column("copy_id", _STRING, "The copy that Generate served for it; null: not known."),
        Column("person", _STRING, "Pseudonym of the email, else of the user id, unlinked; null: not known."),
        Column("sends", pl.Int64(), "Sends within 72 h of the first one, that one included.", nullable=False),
        Column("is_machine_known", pl.Boolean(), "The source tells opens by machines apart.", nullable=False),
        *(Column(name, UTC_TIMESTAMP, f"First {what} within 72 h of the send, UTC.") for name, what in _FIRSTS),
        *(Column(name, _COUNT, f"{what} within 72 h of the send.", nullable=False) for name, what in _REACTIONS),
        Column("first_conversion", UTC_TIMESTAMP, "First custom event within the org's own window for its name, UTC."),
        Column("attributed_conversions", _COUNT, "Custom events within the org's own window for each.", nullable=False),
        Column("conversions", CONVERSIONS, "Custom events attributed to it within 72 h, one entry an event name."),
        Column("values", VALUES, "What these were worth within the org's own window, one entry an event name."),
    ),
    "What became of one message within 72 h of its first send. Sent again within three days, it is the same message.",
    partition_by=("send_date",),
    personal=True,
)

COPY_DAILY: Final = Table(
    "copy_daily",
    (
        Column("send_date", pl.Date(), "Day of the sends, UTC; the partition.", nullable=False),
        Column("template", _STRING, "The template's id in the org file; null: all of them, each message once."),
        Column("arm", _STRING, "treatment or control; null: both together."),
        Column("copy_id", _STRING, "The copy served; null where it is not known."),
        Column("metric", _STRING, "open, click, unsubscribe, conversion:<event name>, revenue:<event name>, "
               "machine_open, any_conversion.", nullable=False),
        Column("window_hours", pl.Int32(), "Hours after the send in which a success counts.", nullable=False),
        Column("is_own_window", pl.Boolean(), "The window that the org decides by.", nullable=False),
        Column("messages", _COUNT, "Messages sent.", nullable=False),
        Column("successes", _COUNT, "Messages among them that succeeded; null: not known."),
        Column("value", _FLOAT, "Of revenue: what the events of these messages were worth; else null."),
        Column("value_squares", _FLOAT, "Of revenue: the squares of what each message brought, added up; else null."),
        Column("rule", _STRING, "Hash of the templates, events and windows it was counted by.", nullable=False),
    ),
    "One send_date × template × arm × copy × metric × window. Every rate comes from here.",
    partition_by=("send_date",),
)  # fmt: skip

RESTATEMENTS: Final = Table(
    "restatements",
    (
        _EVENT_DATE,
        Column("restated_at", UTC_TIMESTAMP, "When it was computed anew, UTC.", nullable=False),
        Column("template_id", _STRING, "Template of the sending system; null: events without a template."),
        Column("campaign_id", _STRING, "Campaign of the sending system; null: events without one."),
        Column("event_name", _STRING, "What is counted.", nullable=False),
        Column("number", _STRING, "events or attributed_conversions.", nullable=False),
        Column("window_hours", pl.Int32(), "The window of attributed_conversions; null for events."),
        Column("before", _COUNT, "The number as it was given.", nullable=False),
        Column("after", _COUNT, "The number as it is now.", nullable=False),
        Column("given_at", UTC_TIMESTAMP, "When the old number was computed, UTC.", nullable=False),
        Column("upstream", _STRING, "Versions of the upstream tables, old → new; null where not recorded."),
        Column("files", _STRING, "Landing objects that came, changed or went, one a line."),
    ),
    "A number of a finished day that moved after it was first given, and why.",
)

COHORT_RESTATEMENTS: Final = Table(
    "cohort_restatements",
    (
        Column("send_date", pl.Date(), "Day of the sends, UTC; the partition.", nullable=False),
        Column("restated_at", UTC_TIMESTAMP, "When it was computed anew, UTC.", nullable=False),
        Column("template", _STRING, "The template's id in the org file.", nullable=False),
        Column("arm", _STRING, "treatment or control.", nullable=False),
        Column("copy_id", _STRING, "The copy served; null where it is not known."),
        Column("metric", _STRING, "As in copy_daily; null: the messages themselves."),
        Column("window_hours", pl.Int32(), "Hours after the send in which a success counts."),
        Column("number", _STRING, "messages or successes.", nullable=False),
        Column("before", _COUNT, "The number as it was given.", nullable=False),
        Column("after", _COUNT, "The number as it is now.", nullable=False),
        Column("given_at", UTC_TIMESTAMP, "When the old number was computed, UTC.", nullable=False),
        Column("upstream", _STRING, "Versions of the upstream tables, old → new; null where not recorded."),
        Column("files", _STRING, "Landing objects that came, changed or went, one a line."),
    ),
    "A number of a closed send cohort that moved after it was first given, and why.",
    partition_by=("send_date",),
)

TABLES: Final = {
    table.name: table
    for table in (
        ESP_EVENTS, CUSTOM_EVENTS, ATTRIBUTED_EVENTS, DELTA_SHARE, UNIFIED_EVENTS, ATTRIBUTION_METRICS, QUARANTINE,
        FATES, SERVED_COPIES, MESSAGE_OUTCOMES, COPY_DAILY, EXPERIMENT_RESULTS, RESTATEMENTS, COHORT_RESTATEMENTS,
    )
}  # fmt: skip
