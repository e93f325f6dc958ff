"""A source that is defined here and nowhere else: webhooks of a tool that the package does not know."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl

from justai_assets.contract.event_times import parse_time
from justai_assets.landing.envelopes import LINE_NUMBER
from justai_assets.orgs.field_types import SecretRefs
from justai_assets.orgs.org_model import Org
from justai_assets.orgs.secrets import reference_of
from justai_assets.sources.pseudonym_keys import EMAIL, USER_ID, given
from justai_assets.sources.row_reason import when
from justai_assets.sources.source import (
    JSON_LINES,
    ConnectText,
    CredentialRefs,
    EnvelopeReader,
    Envelopes,
    Http,
    Landing,
    Source,
    SourceSettings,
)
from justai_assets.sources.time_parsing import utc
from justai_assets.sources.webhook_rows import REJECTED, finished, has_no_body, present, refused_at_the_door

NAME = "toy_webhooks"


class ToyWebhooks(SourceSettings):
    """Its section of the org file."""

    api_key: SecretRefs = ()

    @property
    def credentials(self) -> CredentialRefs:
        return CredentialRefs(self.api_key)


def typed(envelopes: pl.LazyFrame, org: Org, day: date | None) -> pl.LazyFrame:
    """Envelopes as rows of custom_events."""
    body = pl.col("body").struct
    rows = envelopes.select(
        pl.col("id").alias("event_id"),
        present(body.field("toy_event")).alias("event_name"),
        utc(body.field("at")).alias("event_timestamp"),
        given(body.field("email")).alias(EMAIL),
        given(body.field("id")).alias(USER_ID),
        pl.col("source_file", LINE_NUMBER),
        has_no_body(),
        refused_at_the_door(day),
        pl.lit(None, pl.Int64).alias("source_row"),
        *(pl.lit(None, pl.String).alias(name) for name in ("template_id", "copy_id")),
    )
    missing = when(pl.col("event_name").is_null(), "missing_event_name")
    salt = org.secret(org.pseudonym_salt)
    return finished(rows, door=NAME, day=day, salt=salt, reasons=[missing], published=("event_name",))


def at(body: dict[str, Any], _: datetime) -> datetime | None:
    return parse_time(body.get("at"))


BODY = pl.Struct({**REJECTED, **dict.fromkeys(("toy_event", "at", "email", "id"), pl.String())})

TOY = Source(
    name=NAME,
    contents=("custom_events",),
    settings=ToyWebhooks,
    landing=Landing("webhooks/toy", JSON_LINES, "toy_calls", "json"),
    envelopes=Envelopes(lambda: EnvelopeReader(BODY, typed), at, mark="toy_event"),
    http=Http("/api/webhook/toy", "A call of the toy", properties={"toy_event": {"type": "string"}}),
    section=lambda asked: {"api_key": reference_of(asked.slug, "API_KEY")},
    connect=ConnectText(__package__, "toy.md.j2"),
)
