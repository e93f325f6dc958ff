"""Who an event is about, as keyed pseudonyms: normalised first, then HMAC-SHA256 with the org's salt.

Email and user id are pseudonymised apart (a prefix keeps their key spaces disjoint), cut to 128 bits: with a billion
people the chance that any two share a key is below 1e-20.
"""

from __future__ import annotations

import polars as pl
import polars_hash as plh
from pydantic import SecretStr

KEY_HEX_DIGITS = 32


def normal_email(raw: pl.Expr) -> pl.Expr:
    """Trimmed and lower-cased; blank is null."""
    return _blank_is_null(raw.str.strip_chars().str.to_lowercase())


def normal_user_id(raw: pl.Expr) -> pl.Expr:
    """Trimmed; blank is null. User ids are case-sensitive."""
    return _blank_is_null(raw.str.strip_chars())


def email_key(email: str, salt: SecretStr) -> pl.Expr:
    """The pseudonym of a column of normalised emails; null stays null."""
    return _pseudonym("email:", email, salt)


def user_key(user_id: str, salt: SecretStr) -> pl.Expr:
    """The pseudonym of a column of normalised user ids; null stays null."""
    return _pseudonym("user:", user_id, salt)


def _pseudonym(space: str, column: str, salt: SecretStr) -> pl.Expr:
    text = plh.concat_str(pl.lit(space), pl.col(column))
    digest: pl.Expr = text.chash.hmac_sha256(key=salt.get_secret_value())
    return digest.str.head(KEY_HEX_DIGITS)


def _blank_is_null(text: pl.Expr) -> pl.Expr:
    return pl.when(text != "").then(text)
