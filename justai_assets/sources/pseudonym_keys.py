"""Who an event is about, as keyed pseudonyms: normalised first, then HMAC-SHA256 with the org's salt.

Email and user id are pseudonymised apart (a prefix keeps their key spaces disjoint), cut to 128 bits: with a billion
people the chance that any two share a key is below 1e-20.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import unquote

import polars as pl
import polars_hash as plh
from pydantic import SecretStr

from justai_assets.contract.placeholders import PATTERN, SPACES, trimmed

KEY_HEX_DIGITS = 32

EMAIL: Final = "_email"
USER_ID: Final = "_user_id"
PLACEHOLDER: Final = "_placeholder"
"""Column of typed rows: the field in which a placeholder stands instead of an id; null for none."""

_ADDRESS = r"[^@]@[^@]"
_ODD = r"[^!-~]|[<>:]|xn--"
"""What a plain address does not have: beyond ASCII, a space, `Name <…>`, `mailto:`, a domain in Punycode."""
_ANGLE = re.compile(r"<([^<>]*@[^<>]*)>\s*$")
_FULL_STOPS = re.compile("[\u3002\uff0e\uff61]")


def given(raw: pl.Expr) -> pl.Expr:
    """A field as its sender gives it: trimmed, blank is null, a placeholder still stands."""
    text = trimmed(raw)
    return pl.when(text != "").then(text)


def first_given(*raw: pl.Expr) -> pl.Expr:
    """The first of several fields that names somebody, else the first that is not blank."""
    fields = pl.struct(given(one).alias(str(number)) for number, one in enumerate(raw))
    return fields.map_batches(_first_given, return_dtype=pl.String, is_elementwise=True)


def identified(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with EMAIL and USER_ID normalised, and PLACEHOLDER.

    Args:
        rows: EMAIL and USER_ID as `given` or `first_given` returns them.

    A user id that is an address is spelled as an email. It is the email too where no other is given: an event that
    names the same person by email then meets it.
    """
    address = is_address(pl.col(USER_ID))
    return (
        rows.with_columns(
            normal_email(pl.col(EMAIL)).alias("_by_email"),
            normal_email(pl.when(address).then(USER_ID)).alias("_by_address"),
            normal_user_id(pl.when(~address).then(USER_ID)).alias("_by_id"),
        )
        .with_columns(
            pl.coalesce("_by_email", "_by_address").alias(EMAIL),
            pl.coalesce("_by_address", "_by_id").alias(USER_ID),
            pl.when(pl.col(EMAIL).is_not_null() & pl.col("_by_email").is_null())
            .then(pl.lit("email"))
            .when(pl.col(USER_ID).is_not_null() & pl.col("_by_address").is_null() & pl.col("_by_id").is_null())
            .then(pl.lit("user id"))
            .alias(PLACEHOLDER),
        )
        .drop("_by_email", "_by_address", "_by_id")
    )


def is_address(text: pl.Expr) -> pl.Expr:
    """Whether a text is an email address rather than a user id: something on both sides of an @."""
    return text.str.contains(_ADDRESS)


def normal_email(raw: pl.Expr) -> pl.Expr:
    """One spelling for all the forms of an address; blank and placeholders are null.

    Trimmed and lower-cased; and without invisible characters, in NFC, without `mailto:`, a display name and angle
    brackets, with the domain in Unicode. A plain address in ASCII only is trimmed and lower-cased.
    """
    return raw.map_batches(_emails, return_dtype=pl.String, is_elementwise=True)


def normal_user_id(raw: pl.Expr) -> pl.Expr:
    """Trimmed; blank and placeholders are null. User ids are case-sensitive."""
    return raw.map_batches(_user_ids, return_dtype=pl.String, is_elementwise=True)


def email_key(email: str, salt: SecretStr) -> pl.Expr:
    """The pseudonym of a column of normalised emails; null stays null."""
    return _pseudonym("email:", email, salt)


def user_key(user_id: str, salt: SecretStr) -> pl.Expr:
    """The pseudonym of a column of normalised user ids; null stays null."""
    return _pseudonym("user:", user_id, salt)


def plain_person() -> pl.Expr:
    """The person of a row, by its keys alone: the email's pseudonym, else the user id's; null without both.

    It stands in for the person whom `attribution.identity` finds by linking keys, where nothing is to be linked yet: in
    what a source brings. The email comes first because it is what senders
    give most often, and because a user id that many share then does not make them one person. What it gets wrong: a
    person with two addresses, or with the email in some rows and the user id alone in others, is two; an address that
    many user ids share, or a user id that many share in rows without an email, is one.
    """
    return pl.coalesce("email_key", "user_key").alias("person")


def _pseudonym(space: str, column: str, salt: SecretStr) -> pl.Expr:
    text = plh.concat_str(pl.lit(space), pl.col(column))
    digest: pl.Expr = text.chash.hmac_sha256(key=salt.get_secret_value())
    return digest.str.head(KEY_HEX_DIGITS)


def _first_given(fields: pl.Series) -> pl.Series:
    chosen, *others = fields.struct.unnest().iter_columns()
    for other in others:
        better = _nobody(chosen) & ~_nobody(other)
        chosen = other.zip_with(better, chosen) if better.any() else chosen
    for other in others:
        better = chosen.is_null() & other.is_not_null()
        chosen = other.zip_with(better, chosen) if better.any() else chosen
    return chosen.alias(fields.name)


def _emails(texts: pl.Series) -> pl.Series:
    if texts.null_count() == len(texts):
        return texts
    texts = texts.str.strip_chars(SPACES).str.to_lowercase()
    odd = texts.str.contains(_ODD).fill_null(value=False)
    if odd.any():
        spelled = pl.Series([_one_spelling(one) for one in texts.filter(odd)], dtype=pl.String)
        texts = texts.scatter(odd.arg_true(), spelled)
    return _somebody(texts)


def _user_ids(texts: pl.Series) -> pl.Series:
    return texts if texts.null_count() == len(texts) else _somebody(texts.str.strip_chars(SPACES))


def _somebody(texts: pl.Series) -> pl.Series:
    nobody = texts.str.contains(PATTERN).fill_null(value=False)
    return texts.set(nobody, None) if nobody.any() else texts


def _nobody(texts: pl.Series) -> pl.Series:
    if texts.null_count() == len(texts):
        return texts.is_null()
    return texts.str.contains(PATTERN).fill_null(value=True)


def _one_spelling(address: str) -> str:
    found = _ANGLE.search(address)
    text = (found.group(1) if found else address).strip()
    if text.startswith("mailto:"):
        text = unquote(text.removeprefix("mailto:").partition("?")[0])
    text = "".join(one for one in text if unicodedata.category(one) != "Cf").strip()
    local, at, domain = unicodedata.normalize("NFC", text).lower().rpartition("@")
    return f"{local}{at}{_in_unicode(domain)}" if at else domain


def _in_unicode(domain: str) -> str:
    """A domain's labels out of Punycode, in the form that IDNA compares: `xn--bcher-kva.de` is `bücher.de`."""
    labels = _FULL_STOPS.sub(".", unicodedata.normalize("NFKC", domain).lower()).split(".")
    return ".".join(_label(one) for one in labels)


def _label(label: str) -> str:
    if not label.startswith("xn--") or label == "xn--":
        return label
    try:
        return unicodedata.normalize("NFC", label.removeprefix("xn--").encode("ascii").decode("punycode")).lower()
    except (UnicodeError, ValueError, OverflowError):
        return label
