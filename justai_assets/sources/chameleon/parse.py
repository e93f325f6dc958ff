"""Chameleon webhooks: tours, surveys and embeds as custom events. Format and traps: Chameleon's webhook reference."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import polars as pl

from justai_assets.landing.envelopes import LINE_NUMBER, digits
from justai_assets.orgs.org_model import Org
from justai_assets.sources.chameleon.spec import CHAMELEON, THINGS
from justai_assets.sources.pseudonym_keys import EMAIL, USER_ID, first_given, given
from justai_assets.sources.row_reason import when
from justai_assets.sources.time_parsing import utc
from justai_assets.sources.webhook_rows import REJECTED, finished, has_no_body, present, refused_at_the_door

_ID = pl.Struct({"id": pl.String()})

BODY = pl.Struct(
    {
        **REJECTED,
        "id": pl.String(),
        "kind": pl.String(),
        "sent_at": pl.String(),
        "data": pl.Struct(
            {"profile": pl.Struct({"uid": pl.String(), "email": pl.String()}), **dict.fromkeys(THINGS, _ID)}
        ),
    }
)

PING = "ping"
"""The kind of a connection test, which an admin sends from Chameleon's settings: nobody did anything."""

_HINT = r'copy_id_|"properties"'
"""Lines without it hold neither a copy nor properties, and are not decoded."""

_FOUND = pl.Struct({"copy_id": pl.String(), "email": pl.String()})


def typed(envelopes: pl.LazyFrame, org: Org, day: date | None) -> pl.LazyFrame:
    """Envelopes as rows of custom_events, each with its `reason` (null: accepted).

    kind is the event's name, sent_at its time, the tour (survey, embed, demo) its template, and `copy_id_<tour_id>` its
    copy, wherever that sits in the body: a profile keeps the copies of every tour it ever saw, and only this tour's
    counts. The query string is not signed and is not read. profile may be null or absent; an email may sit under its
    properties, or under those of data. A ping is a connection test and no event.
    """
    body = pl.col("body").struct
    data = body.field("data").struct
    profile = data.field("profile").struct
    template = pl.coalesce(*(present(data.field(name).struct.field("id")) for name in THINGS))
    hint = pl.when(pl.col("line").str.contains(_HINT)).then(pl.col("line"))
    found = (
        pl.struct(hint.alias("line"), template.alias("template_id"))
        .map_batches(_found, return_dtype=_FOUND, is_elementwise=True)
        .struct
    )
    rows = envelopes.select(
        pl.coalesce(present(body.field("id")), pl.col("id")).alias("event_id"),
        present(body.field("kind")).alias("event_name"),
        utc(body.field("sent_at")).alias("event_timestamp"),
        first_given(profile.field("email"), found.field("email")).alias(EMAIL),
        given(profile.field("uid")).alias(USER_ID),
        template.alias("template_id"),
        present(found.field("copy_id")).alias("copy_id"),
        pl.col("source_file", LINE_NUMBER),
        has_no_body(),
        refused_at_the_door(day),
        pl.lit(None, pl.Int64).alias("source_row"),
    )
    return finished(
        rows,
        door=CHAMELEON.name,
        day=day,
        salt=org.secret(org.pseudonym_salt),
        reasons=[
            when(pl.col("event_name").is_null(), "missing_event_name"),
            when(pl.col("event_name") == PING, "connection_test"),
        ],
        published=("event_name", "template_id", "copy_id"),
    )


def _found(rows: pl.Series) -> pl.Series:
    return pl.Series(
        rows.name,
        [_in_line(row["line"], row["template_id"]) if row["line"] is not None else None for row in rows],
        dtype=_FOUND,
    )


def _in_line(line: str, template_id: str | None) -> dict[str, str | None] | None:
    """The copy of this template, and an email among properties, in the body of an envelope."""
    try:
        body = json.loads(line, parse_float=digits).get("body")
    except (ValueError, RecursionError):
        # The parser of the fast path took the line, so this is a number of thousands of digits or the like.
        return None
    return {"copy_id": _copy(body, template_id), "email": _email(body)}


def _copy(body: Any, template_id: str | None) -> str | None:
    """The value of `copy_id_<template_id>`, a text or a number: the least nested one, the first of those."""
    if template_id is None:
        return None
    # Chameleon writes names of properties in lower case.
    wanted = f"copy_id_{template_id}".lower()
    level = [body]
    while level:
        for one in level:
            for name, value in one.items() if isinstance(one, dict) else ():
                if name.lower() == wanted and isinstance(value, str | int | float) and not isinstance(value, bool):
                    return str(value)
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
        level = [inner for inner in level if isinstance(inner, dict | list)]
    return None


def _email(body: Any) -> str | None:
    data = _object(_object(body).get("data"))
    for holder in (_object(data.get("profile")), data):
        email = _object(holder.get("properties")).get("email")
        if isinstance(email, str) and email.strip():
            return email
    return None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
