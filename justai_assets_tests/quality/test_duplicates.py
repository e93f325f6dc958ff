from __future__ import annotations

from justai_assets.contract.tables import CUSTOM_EVENTS, ESP_EVENTS, UNIFIED_EVENTS
from justai_assets.lake.store import Lake
from justai_assets.quality.duplicates import duplicates
from justai_assets_tests.quality.lakes import DAY, ONE, SLUG, rows, write


def test_distinct_events_are_sound(lake: Lake) -> None:
    write(lake, ESP_EVENTS, {DAY: [rows(ESP_EVENTS, DAY, 5)]})
    (verdict,) = duplicates(lake, SLUG, ESP_EVENTS, ONE)
    assert verdict.is_sound
    assert verdict.numbers == {"rows": 5, "duplicate rows": 0}


def test_an_id_stored_in_two_files_is_found(lake: Lake) -> None:
    write(lake, ESP_EVENTS, {DAY: [rows(ESP_EVENTS, DAY, 5), rows(ESP_EVENTS, DAY, 2)]})
    assert duplicates(lake, SLUG, ESP_EVENTS, ONE)[0].problems == ("2 of 7 rows repeat another",)


def test_drop_rows_without_an_id_are_told_apart_by_file_and_row(lake: Lake) -> None:
    drop = rows(CUSTOM_EVENTS, DAY, 3, event_id=None, source_file="redshift/a.parquet", source_row=[0, 1, 2])
    other = rows(CUSTOM_EVENTS, DAY, 3, event_id=None, source_file="redshift/b.parquet", source_row=[0, 1, 1])
    write(lake, CUSTOM_EVENTS, {DAY: [drop, other]})
    assert duplicates(lake, SLUG, CUSTOM_EVENTS, ONE)[0].problems == ("1 of 6 rows repeat another",)


def test_equal_custom_events_with_their_own_ids_are_honest(lake: Lake) -> None:
    bought = rows(
        CUSTOM_EVENTS,
        DAY,
        2,
        event_name="purchase",
        event_timestamp=[rows(CUSTOM_EVENTS, DAY, 1)["event_timestamp"][0]] * 2,
    )
    write(lake, CUSTOM_EVENTS, {DAY: [bought]})
    assert duplicates(lake, SLUG, CUSTOM_EVENTS, ONE)[0].is_sound


def test_a_unified_stream_delivered_twice_warns(lake: Lake) -> None:
    once = rows(UNIFIED_EVENTS, DAY, 50)
    write(lake, UNIFIED_EVENTS, {DAY: [once, once]})
    (verdict,) = duplicates(lake, SLUG, UNIFIED_EVENTS, ONE)
    assert verdict.problems == ()
    assert verdict.warnings == ("50 of 100 rows repeat another",)


def test_a_few_equal_rows_of_a_unified_stream_are_counted_and_no_more(lake: Lake) -> None:
    once = rows(UNIFIED_EVENTS, DAY, 2000)
    write(lake, UNIFIED_EVENTS, {DAY: [once, once.head(2)]})
    (verdict,) = duplicates(lake, SLUG, UNIFIED_EVENTS, ONE)
    assert verdict.is_sound
    assert verdict.numbers["duplicate rows"] == 2
