from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.contract.foreign_names import is_personal_column, safe_key
from justai_assets.sources.identifier_privacy import MAX_IDENTIFIER_BYTES, refusal


def verdict(name: str | None = "purchase", message: str | None = None, **personal: Any) -> str | None:
    row = {"event_name": name, "message_id": message, **personal}
    frame = pl.DataFrame([row], schema=dict.fromkeys(row, pl.String))
    return frame.select(refusal(("event_name", "message_id"), tuple(personal))).item()


HONEST = ["501", "0123456789abcdef" * 2, "0123456789abcdef" * 4, "uyDf828u4mbbbbGgrbDNEPeLHXpDGAnKkGZqBE8Pq",
          "1818e811-892f-902b-d23f-0824128b2f33", "welcome-email", "1.2.3", "v2026.01.05", "5f3c4232c712de665632a6d4",
          "10:30", "c47001:t64001", "a+b", "x" * MAX_IDENTIFIER_BYTES, "1767607200", "+1", None]  # fmt: skip
PERSONAL = ["ada@example.com", "c1:t2:ada@example.com", "ada%40example.com", "192.0.2.7", "ip-192.0.2.7", "2001:db8::1",
            "fe80:0:0:0:1:2:3:4", "::1", "+12025550143", "tel:+1 (202) 555-0143"]  # fmt: skip


@pytest.mark.parametrize("identifier", HONEST)
def test_honest_identifiers_pass(identifier: str | None) -> None:
    assert verdict(message=identifier) is None


@pytest.mark.parametrize("identifier", PERSONAL)
def test_an_email_address_or_phone_number_is_refused(identifier: str) -> None:
    assert verdict(message=identifier) == "personal_data_in_identifier"
    assert verdict(name=f"bought {identifier}") == "personal_data_in_identifier"


@pytest.mark.parametrize(
    "name", ["purchase", "Order Completed", "emailOpen", "注文", "step 2", "a/b:c", "Account::Created"]
)
def test_honest_event_names_pass(name: str) -> None:
    assert verdict(name=name) is None


@pytest.mark.parametrize("name", ["12025550143", "4711", "…"])
def test_an_event_name_without_a_letter_is_somebodys_number(name: str) -> None:
    assert verdict(name=name) == "personal_data_in_identifier"


def test_a_long_identifier_is_refused_by_its_bytes() -> None:
    assert verdict(message="é" * 129) == "identifier_too_long"


@pytest.mark.parametrize("text", ['{"email": 1}', ' ["x"]'])
def test_an_object_where_an_id_belongs_is_a_bad_body(text: str) -> None:
    assert verdict(message=text) == "bad_body"


@pytest.mark.parametrize(
    ("message", "user", "is_refused"),
    [
        ("customer-4711", "customer-4711", True),
        ("msg-customer-4711-x", "customer-4711", True),
        ("12025550143-9", "+12025550143", True),
        ("501", "501", False),
        ("ada", "ada", True),
        ("ada-msg", "ada", False),
        ("msg-jane-1", "jane-1", True),
        ("MSG-JANE-ROE", "Jane-Roe", True),
        ("ADA", "ada", True),
        ("c-4711234-x", "4711234", False),
        ("c-47112345-x", "47112345", True),
        ("ada", "Bob", False),
        ("x", None, False),
        ("x", "", False),
        (".*", "abcdefgh", False),
    ],
)
def test_a_users_own_id_is_not_published_as_another(message: str, user: str | None, is_refused: bool) -> None:
    assert verdict(message=message, user=user) == ("personal_data_in_identifier" if is_refused else None)


def test_digits_inside_a_digest_are_chance() -> None:
    assert verdict(message="00000000" + "12345678" * 3, user="12345678") is None


@settings(deadline=None, max_examples=50)
@given(st.emails(), st.text(max_size=10), st.text(max_size=10))
def test_no_email_gets_through_whatever_surrounds_it(email: str, before: str, after: str) -> None:
    assert verdict(message=f"{before}{email}{after}") is not None


SHORT = st.text("aA1@ +", max_size=9) | st.none()


@given(st.lists(st.tuples(SHORT, SHORT, SHORT), max_size=6))
def test_a_row_is_judged_alike_alone_and_among_others(rows: list[tuple[str | None, str | None, str | None]]) -> None:
    names = ("event_name", "message_id", "user")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    together = frame.select(refusal(names[:2], names[2:])).to_series().to_list()
    assert together == [verdict(name, message, user=user) for name, message, user in rows]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("email", True), ("EMAIL", True), ("e_mail", True), ("contactEmail", True), ("user_id", True), ("userId", True),
        ("profile-id", True), ("Phone Number", True), ("first_name", True), ("firstName", True), ("ip", True),
        ("client_ip", True), ("birthDate", True), ("zip_code", True), ("city", True), ("user_agent", True),
        ("basket", False), ("price", False), ("campaign_name", False), ("shipping", False), ("currency", False),
        ("message_id", False), ("capacity", False), ("order_id", False), ("event_name", False),
    ],
)  # fmt: skip
def test_a_column_of_personal_data_is_known_by_its_name(name: str, expected: bool) -> None:
    assert is_personal_column(name) == expected


def test_a_landing_key_that_names_a_person_is_kept_as_a_digest() -> None:
    assert (
        safe_key("redshift/acme/event_date=2026-01-05/0000.parquet")
        == "redshift/acme/event_date=2026-01-05/0000.parquet"
    )
    hidden = safe_key("redshift/acme/event_date=2026-01-05/of-ada@example.com.parquet")
    assert hidden.startswith("redshift/acme/event_date=2026-01-05/sha256-")
    assert "ada" not in hidden
    assert hidden != safe_key("redshift/acme/event_date=2026-01-05/of-bob@example.com.parquet")


@pytest.mark.parametrize(
    ("key", "kept"),
    [
        ("redshift/acme/event_date=2026-01-05/ada@example.com/0000.parquet", "redshift/acme/event_date=2026-01-05/"),
        ("redshift/acme/event_date=2026-01-05/a/+12025550143/0000.parquet", "redshift/acme/event_date=2026-01-05/"),
        ("ada@example.com/0000.parquet", ""),
    ],
)
def test_a_folder_that_names_a_person_is_hidden_too(key: str, kept: str) -> None:
    hidden = safe_key(key)
    assert hidden.startswith(f"{kept}sha256-")
    assert hidden.count("/") == kept.count("/")
    assert hidden != safe_key(key.replace("0000", "0001")), "two files stay two"
