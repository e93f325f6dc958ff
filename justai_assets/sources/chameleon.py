"""Chameleon webhooks: tours, surveys and embeds as custom events. Format and traps: Chameleon's webhook reference."""

from __future__ import annotations

from datetime import date

import polars as pl

from justai_assets.landing.envelopes import LINE_NUMBER
from justai_assets.orgs.model import Org
from justai_assets.sources.identity import normal_email, normal_user_id
from justai_assets.sources.rows import EMAIL, USER_ID, finished, has_no_body, present
from justai_assets.sources.times import utc
from justai_assets.sources.verdict import when

DOOR = "chameleon_webhooks"

_THINGS = ("tour", "survey", "embed", "demo")

_ID = pl.Struct({"id": pl.String()})

BODY = pl.Struct(
    {
        "id": pl.String(),
        "kind": pl.String(),
        "sent_at": pl.String(),
        "data": pl.Struct(
            {"profile": pl.Struct({"uid": pl.String(), "email": pl.String()}), **dict.fromkeys(_THINGS, _ID)}
        ),
    }
)

WITH_LINE = True
"""`copy_id_<tour_id>` may sit anywhere, under a name that is not known beforehand: it is looked for in the line."""

_COPY_ID = r'"copy_id_[^"]{1,128}"\s*:\s*"([^"\\]{1,256})"'


def typed(envelopes: pl.LazyFrame, org: Org, day: date | None) -> pl.LazyFrame:
    """Envelopes as rows of custom_events, each with its `reason` (null: accepted).

    kind is the event's name, sent_at its time, the tour (survey, embed, demo) its template, and the first
    `copy_id_<tour_id>` found anywhere under data its copy. profile may be null or absent.
    """
    body = pl.col("body").struct
    data = body.field("data").struct
    profile = data.field("profile").struct
    rows = envelopes.select(
        pl.coalesce(present(body.field("id")), pl.col("id")).alias("event_id"),
        present(body.field("kind")).alias("event_name"),
        utc(body.field("sent_at")).alias("event_timestamp"),
        normal_email(profile.field("email")).alias(EMAIL),
        normal_user_id(profile.field("uid")).alias(USER_ID),
        pl.coalesce(*(present(data.field(name).struct.field("id")) for name in _THINGS)).alias("template_id"),
        present(pl.col("line").str.extract(_COPY_ID, 1)).alias("copy_id"),
        pl.col("source_file", LINE_NUMBER),
        has_no_body(),
        pl.lit(None, pl.Int64).alias("source_row"),
    )
    return finished(
        rows,
        door=DOOR,
        day=day,
        salt=org.secret(org.pseudonym_salt),
        reasons=[
            when(pl.col("event_name").is_null(), "missing_event_name"),
        ],
        published=("event_name", "template_id", "copy_id"),
    )
