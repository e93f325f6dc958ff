from __future__ import annotations

from datetime import timedelta

from justai_assets.contract.days import Days
from justai_assets.contract.tables import CUSTOM_EVENTS
from justai_assets.lake.ledger import QUARANTINED, RECEIVED, UNREAD_COLUMN, Fate
from justai_assets.lake.store import Lake
from justai_assets.quality.schema_drift import schema_drift
from justai_assets_tests.quality.lakes import DAY, ONE, SLUG, write_fates

BEFORE = DAY - timedelta(days=1)


def test_a_day_in_the_contracts_shape_is_sound(lake: Lake) -> None:
    write_fates(lake, CUSTOM_EVENTS.name, [Fate(DAY, "redshift", RECEIVED, 9)])
    assert schema_drift(lake, SLUG, CUSTOM_EVENTS, ONE)[0].is_sound


def test_an_added_column_warns_on_its_day_alone(lake: Lake) -> None:
    fates = [Fate(BEFORE, "redshift", RECEIVED, 9), Fate(DAY, "redshift", UNREAD_COLUMN, 9, "loyalty_tier")]
    write_fates(lake, CUSTOM_EVENTS.name, fates)
    before, on_the_day = schema_drift(lake, SLUG, CUSTOM_EVENTS, Days(BEFORE, DAY))
    assert before.is_sound
    assert on_the_day.problems == ()
    assert on_the_day.warnings == ("columns beyond the contract, not read: loyalty_tier",)


def test_a_changed_type_fails_with_the_records_it_cost(lake: Lake) -> None:
    write_fates(lake, CUSTOM_EVENTS.name, [Fate(DAY, "redshift", QUARANTINED, 120, "wrong_type")])
    (verdict,) = schema_drift(lake, SLUG, CUSTOM_EVENTS, ONE)
    assert verdict.problems == ("redshift: 120 records refused as wrong_type",)
    assert verdict.numbers["records of another type or shape"] == 120


def test_other_refusals_are_no_drift(lake: Lake) -> None:
    write_fates(lake, CUSTOM_EVENTS.name, [Fate(DAY, "journey_webhooks", QUARANTINED, 3, "unmapped_workflow")])
    assert schema_drift(lake, SLUG, CUSTOM_EVENTS, ONE)[0].is_sound
