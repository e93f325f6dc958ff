from __future__ import annotations

import hashlib
import hmac

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from justai_assets.sources.pseudonym_keys import email_key, normal_email, normal_user_id, user_key

SALT = SecretStr("a salt")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


def digest(space: str, text: str, salt: str = "a salt") -> str:
    return hmac.new(salt.encode(), f"{space}:{text}".encode(), hashlib.sha256).hexdigest()[:32]


def keys(*texts: str | None, salt: SecretStr = SALT) -> list[tuple[str | None, str | None]]:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    return frame.select(email_key("text", salt).alias("email"), user_key("text", salt).alias("user")).rows()


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=5))
def test_a_key_is_the_hmac_of_its_space_and_text(texts: list[str]) -> None:
    assert keys(*texts) == [(digest("email", text), digest("user", text)) for text in texts]


def test_nobody_has_no_key() -> None:
    assert keys(None) == [(None, None)]


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=2, max_size=6, unique=True))
def test_emails_and_user_ids_never_share_a_key(texts: list[str]) -> None:
    found = [key for pair in keys(*texts) for key in pair]
    assert len(set(found)) == len(found)


def test_another_salt_gives_other_keys() -> None:
    assert set(keys("ada")[0]).isdisjoint(keys("ada", salt=SecretStr("another"))[0])


@pytest.mark.parametrize("salt", ["x" * 200, "ünïcode", "1"])
def test_a_salt_of_any_length_is_used_whole(salt: str) -> None:
    assert keys("ada", salt=SecretStr(salt)) == [(digest("email", "ada", salt), digest("user", "ada", salt))]


@pytest.mark.parametrize(
    ("raw", "email", "user"),
    [(" Ada@Example.COM\n", "ada@example.com", "Ada@Example.COM"), ("", None, None), (" \t", None, None),
     (None, None, None), ("ÄDA@x", "äda@x", "ÄDA@x")],
)  # fmt: skip
def test_an_email_is_trimmed_and_lower_cased_and_a_user_id_only_trimmed(
    raw: str | None, email: str | None, user: str | None
) -> None:
    frame = pl.DataFrame({"raw": [raw]}, schema={"raw": pl.String})
    assert frame.select(normal_email(pl.col("raw")).alias("e"), normal_user_id(pl.col("raw")).alias("u")).row(0) == (
        email,
        user,
    )
