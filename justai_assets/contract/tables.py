"""What a row is, table by table. Everything that reads or writes the lake takes its columns from here."""

from __future__ import annotations

from typing import Final

import polars as pl

from justai_assets.contract.result_tables import ATTRIBUTION_METRICS as ATTRIBUTION_METRICS
from justai_assets.contract.result_tables import COHORT_RESTATEMENTS as COHORT_RESTATEMENTS
from justai_assets.contract.result_tables import CONVERSIONS as CONVERSIONS
from justai_assets.contract.result_tables import COPY_DAILY as COPY_DAILY
from justai_assets.contract.result_tables import EXPERIMENT_RESULTS as EXPERIMENT_RESULTS
from justai_assets.contract.result_tables import MESSAGE_OUTCOMES as MESSAGE_OUTCOMES
from justai_assets.contract.result_tables import RESTATEMENTS as RESTATEMENTS
from justai_assets.contract.result_tables import VALUES as VALUES
from justai_assets.contract.table import DECLARED as DECLARED
from justai_assets.contract.table import EVENT_DATE, EVENT_TIMESTAMP, MESSAGE, STRING
from justai_assets.contract.table import UTC_TIMESTAMP as UTC_TIMESTAMP
from justai_assets.contract.table import Column as Column
from justai_assets.contract.table import Table as Table

_KEYS = (
    Column("email_key", STRING, "Keyed pseudonym of the normalised email, 32 hex digits."),
    Column("user_key", STRING, "Keyed pseudonym of the trimmed user id, 32 hex digits."),
)
_SOURCE = (
    Column("door", STRING, "The door it came through.", nullable=False),
    Column("source_file", STRING, "Landing object, relative to the landing root."),
)

ESP_EVENTS: Final = Table(
    "esp_events",
    (
        Column("event_id", STRING, "Identity: the same id is the same event.", nullable=False),
        Column("event_name", STRING, "Canonical name.", nullable=False),
        Column("raw_event_name", STRING, "Name as the sender spells it.", nullable=False),
        EVENT_TIMESTAMP,
        EVENT_DATE,
        Column("received_at", UTC_TIMESTAMP, "When the webhook arrived, UTC."),
        *MESSAGE,
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
        Column("event_id", STRING, "Identity where the door gives one; null for warehouse drops."),
        Column("event_name", STRING, "The org's name for what happened.", nullable=False),
        EVENT_TIMESTAMP,
        EVENT_DATE,
        *_KEYS,
        Column("template_id", STRING, "Template named by the event itself (Chameleon tour)."),
        Column("copy_id", STRING, "Copy variant named by the event itself (Chameleon)."),
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
        Column("copy_id", STRING, "Copy variant named by the event itself (Chameleon)."),
        *_SOURCE,
        Column("source_row", pl.Int64(), "Row within source_file, from 0; null where event_id identifies."),
        Column("window_hours", pl.Int32(), "The org's window for this event name.", nullable=False),
        Column("send_timestamp", UTC_TIMESTAMP, "Time of the latest prior send, if less than 72 h before."),
        *MESSAGE,
        Column("is_attributed", pl.Boolean(), "The send is inside window_hours.", nullable=False),
        Column("reason", STRING, "Why it is not attributed; null when it is."),
    ),
    "Every custom event once, with its latest prior send inside 72 h, or the reason for none.",
    personal=True,
)

UNIFIED_EVENTS: Final = Table(
    "unified_events",
    (
        Column("event_name", STRING, "emailSend, emailOpen, …, purchase, signup, …", nullable=False),
        EVENT_TIMESTAMP,
        EVENT_DATE,
        *MESSAGE,
    ),
    "THE CONTRACT: engagement events, and the custom events that a message caused. No person in it.",
)

DELTA_SHARE: Final = Table(
    "delta_share",
    UNIFIED_EVENTS.columns,
    "Mirror of the org's shared table: its rows that keep the contract, in the contract's columns.",
)

QUARANTINE: Final = Table(
    "quarantine",
    (
        Column("event_date", pl.Date(), "Day of the folder; null for the default partition."),
        Column("asset", STRING, "The asset that refused it.", nullable=False),
        Column("door", STRING, "The door it came through.", nullable=False),
        Column("reason", STRING, "Code; the meaning is in contract/reasons.py.", nullable=False),
        Column("source_file", STRING, "Landing object, relative to the landing root.", nullable=False),
        Column("source_row", pl.Int64(), "Record within it, from 0; null when the whole file is meant."),
        Column("record_id", STRING, "Envelope id, where there is one."),
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
        Column("asset", STRING, "The asset that accounts for the records.", nullable=False),
        Column("door", STRING, "The door, or the upstream asset.", nullable=False),
        Column(
            "fate",
            STRING,
            "An outcome: received, accepted, duplicate, quarantined, attributed, unattributed. Or a note: "
            "unread_column, placeholder_id, placeholder_people, shared_id, shared_people.",
            nullable=False,
        ),
        Column("reason", STRING, "Code, for quarantined and unattributed; for a note the column or field."),
        Column("records", pl.Int64(), "How many.", nullable=False),
    ),
    "How many records of a day met which fate. received = accepted + duplicate + quarantined.",
    partition_by=("event_date", "asset"),
)

SERVED_COPIES: Final = Table(
    "served_copies",
    (
        Column("event_id", STRING, "Identity of the call.", nullable=False),
        Column("event_timestamp", UTC_TIMESTAMP, "When Generate was called, UTC.", nullable=False),
        EVENT_DATE,
        Column("message_id", STRING, "The message it was called for: tracking_id.", nullable=False),
        Column("copy_id", STRING, "The copy that was served.", nullable=False),
    ),
    "One call of Generate that served a copy for a message.",
    personal=True,
)

TABLES: Final = {
    table.name: table
    for table in (
        ESP_EVENTS, CUSTOM_EVENTS, ATTRIBUTED_EVENTS, DELTA_SHARE, UNIFIED_EVENTS, ATTRIBUTION_METRICS, QUARANTINE,
        FATES, SERVED_COPIES, MESSAGE_OUTCOMES, COPY_DAILY, EXPERIMENT_RESULTS, RESTATEMENTS, COHORT_RESTATEMENTS,
    )
}  # fmt: skip
