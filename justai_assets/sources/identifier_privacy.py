"""The guard before anything is published: a name or id that holds personal data is refused, not stored.

Only event names and message, template, campaign and copy ids ever leave the landing zone as text. Senders have put
emails into all of them (Iterable's own emailId is one), so each is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from justai_assets.contract.foreign_names import PERSONAL

MAX_IDENTIFIER_BYTES = 256
EVENT_NAME = "event_name"
_VALUE, _LOWERED = "_value:", "_lowered:"
"""Columns made for the comparison: a personal value, and a published one, in lower case."""
_EVERYTHING = "_everything"
"""Column made for the search: all that is published of a row; and with _LOWERED before it, in lower case."""

_CONTAINED = 6
_DIGITS_CONTAINED = 8
"""Known personal values of at least so many bytes are looked for inside identifiers; shorter ones must be equal.

Digits alone need more of them: six of a user's number stand in somebody's campaign id by chance.
"""


def is_personal(column: str) -> pl.Expr:
    """Whether a stored name or id holds an email, phone number or address by its form alone; null is not."""
    return _readable(column).str.contains(PERSONAL)


def refusal(published: Sequence[str], personal: Sequence[str]) -> pl.Expr:
    """Reason code for rows whose published columns cannot be stored, else null.

    Args:
        published: text columns that will be stored.
        personal: text columns of the same row that hold personal data (user id, ip, phone numbers), for comparison.
            Case does not matter: a sender's template may write jane-roe for the user Jane-Roe.
            Numbers of fewer than 8 digits are not compared with ids: a user 501 and a template 501 are both honest.
    """

    def refused(rows: pl.Series) -> pl.Series:
        found = rows.struct.unnest()
        # Most columns of personal data are empty, and comparing is the dearest step of an intake.
        given = [name for name in dict.fromkeys(personal) if found[name].null_count() < len(found)]
        values = [pl.col(name).str.strip_chars().str.strip_prefix("+") for name in given]
        found = found.with_columns(
            pl.concat_str([_readable(name) for name in published], separator="\x1f").alias(_EVERYTHING)
        )
        # Columns of their own: within one expression each comparison would make and lower both sides anew.
        lowered = [one.str.to_lowercase().name.prefix(_VALUE) for one in values]
        lowered += [
            pl.col(name).str.to_lowercase().name.prefix(_LOWERED) for name in (*published, _EVERYTHING) if given
        ]
        return found.with_columns(lowered).select(_refusal(published, given)).to_series()

    columns = pl.struct(list(dict.fromkeys((*published, *personal))))
    return columns.map_batches(refused, return_dtype=pl.String, is_elementwise=True)


def _refusal(published: Sequence[str], personal: Sequence[str]) -> pl.Expr:
    too_long = pl.any_horizontal(pl.col(name).str.len_bytes() > MAX_IDENTIFIER_BYTES for name in published)
    nested = pl.any_horizontal(pl.col(name).str.contains(r"^\s*[\[{]") for name in published)
    leaks = pl.col(_EVERYTHING).str.contains(PERSONAL)
    if EVENT_NAME in published:
        # Bare digits are nobody's event name, but they are somebody's phone number.
        leaks = leaks | ~pl.col(EVENT_NAME).str.contains(r"\p{L}")
    lowered = pl.col(f"{_LOWERED}{_EVERYTHING}")
    for name in personal:
        value = pl.col(f"{_VALUE}{name}")
        is_number = value.str.contains(r"^[0-9]*$")
        enough = pl.when(is_number).then(_DIGITS_CONTAINED).otherwise(_CONTAINED)
        inside = (value.str.len_bytes() >= enough) & lowered.str.contains(value, literal=True)
        equal = ~is_number & pl.any_horizontal(pl.col(f"{_LOWERED}{column}") == value for column in published)
        leaks = leaks | (inside | equal).fill_null(value=False)
    return (
        pl.when(too_long)
        .then(pl.lit("identifier_too_long"))
        .when(nested)
        .then(pl.lit("bad_body"))
        .when(leaks)
        .then(pl.lit("personal_data_in_identifier"))
    )


def _readable(name: str) -> pl.Expr:
    # A digest or a message id of 32 to 64 hex digits says nothing; eight digits of a user id do occur in it by chance.
    text = pl.col(name)
    return pl.when(text.is_null() | text.str.contains(r"^[0-9a-f]{32,64}$")).then(pl.lit("")).otherwise(text)
