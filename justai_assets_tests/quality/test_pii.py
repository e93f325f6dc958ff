from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from deltalake import write_deltalake

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ESP_EVENTS, UNIFIED_EVENTS
from justai_assets.lake.store import Lake
from justai_assets.quality.pii import no_pii
from justai_assets_tests.quality.lakes import DAY, ONE, SLUG, rows, write


def test_names_ids_and_pseudonyms_are_sound(lake: Lake) -> None:
    write(lake, ESP_EVENTS, {DAY: [rows(ESP_EVENTS, DAY, 5, user_key=None)]})
    (verdict,) = no_pii(lake, SLUG, ESP_EVENTS, ONE)
    assert verdict.is_sound
    assert verdict.numbers == {"rows read": 5, "rows with personal data": 0}


@pytest.mark.parametrize("value", ["ada@example.com", "c1:t2:ada%40example.com", "192.0.2.7", "+44 20 7946 0000"])
@pytest.mark.parametrize("column", ["event_name", "message_id", "template_id", "campaign_id"])
def test_an_address_in_any_published_column_is_found_and_not_quoted(lake: Lake, column: str, value: str) -> None:
    write(lake, UNIFIED_EVENTS, {DAY: [rows(UNIFIED_EVENTS, DAY, 2, **{column: [value, "501"]})]})
    (verdict,) = no_pii(lake, SLUG, UNIFIED_EVENTS, ONE)
    assert verdict.problems == (f"1 rows with personal data in {column}",)
    assert verdict.numbers["rows with personal data"] == 1
    assert value not in str(verdict)


def test_a_key_that_is_no_pseudonym_is_found(lake: Lake) -> None:
    write(lake, ESP_EVENTS, {DAY: [rows(ESP_EVENTS, DAY, 3, user_key="user-501")]})
    assert no_pii(lake, SLUG, ESP_EVENTS, ONE)[0].problems == ("3 rows whose user_key is no pseudonym",)


def test_only_the_day_that_holds_it_is_unsound(lake: Lake) -> None:
    days = Days(DAY - timedelta(days=1), DAY)
    bad = rows(UNIFIED_EVENTS, DAY, 1, message_id=["ada@example.com"])
    write(lake, UNIFIED_EVENTS, {days.first: [rows(UNIFIED_EVENTS, days.first, 4)], DAY: [bad]})
    assert [verdict.is_sound for verdict in no_pii(lake, SLUG, UNIFIED_EVENTS, days)] == [True, False]


def test_a_seventh_column_of_the_unified_stream_is_found(lake: Lake) -> None:
    write(lake, UNIFIED_EVENTS, {DAY: [rows(UNIFIED_EVENTS, DAY, 1)]})
    wider = rows(UNIFIED_EVENTS, DAY, 1).with_columns(email_key=pl.lit("0" * 32))
    write_deltalake(lake.uri(SLUG, UNIFIED_EVENTS), wider, mode="append", schema_mode="merge")
    assert no_pii(lake, SLUG, UNIFIED_EVENTS, ONE)[0].problems == ("columns beyond the six of the contract: email_key",)


def test_a_table_that_was_never_written_has_no_rows_to_object_to(lake: Lake) -> None:
    assert no_pii(lake, SLUG, UNIFIED_EVENTS, ONE)[0].numbers["rows read"] == 0
