"""A day's stamp is that of its table, whatever columns the org file adds to it."""

from __future__ import annotations

import pytest

from justai_assets.contract.tables import ATTRIBUTED_EVENTS, CUSTOM_EVENTS, ESP_EVENTS, MESSAGE_OUTCOMES, UNIFIED_EVENTS
from justai_assets.lake.stamp import NO_SALT, has_pseudonyms, stamp_of
from justai_assets.orgs.extra_columns import declared
from justai_assets.sources.lineage import org_tables
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World

WEBHOOKS = {**WEBHOOK_ORG["sources"], "redshift": {"content": "custom_events", "extra_columns": ["value"]}}
UNIFIED = {"databricks": {"content": "unified_events", "extra_columns": ["value"]}}


@pytest.mark.parametrize(("base", "sources"), [(WEBHOOK_ORG, WEBHOOKS), (UNIFIED_ORG, UNIFIED)])
def test_a_table_with_declared_columns_has_the_stamp_by_which_its_days_are_judged(
    base: dict[str, object], sources: dict[str, object], world: World
) -> None:
    org = world.add_org(base, sources=sources)
    assert any(declared(org, table) != table for table in org_tables(org))
    for table in org_tables(org):
        assert stamp_of(org, declared(org, table)) == stamp_of(org, table), table.name
        assert has_pseudonyms(org, declared(org, table)) == has_pseudonyms(org, table)


def test_pseudonyms_beside_declared_columns_name_their_salt(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG, sources=WEBHOOKS)
    for table in (CUSTOM_EVENTS, ATTRIBUTED_EVENTS):
        assert stamp_of(org, declared(org, table)).salt != NO_SALT


def test_days_from_before_a_column_was_declared_are_outdated(world: World) -> None:
    before, after = world.add_org(WEBHOOK_ORG), world.add_org(WEBHOOK_ORG, sources=WEBHOOKS)
    for table in (CUSTOM_EVENTS, ATTRIBUTED_EVENTS, UNIFIED_EVENTS, MESSAGE_OUTCOMES):
        assert stamp_of(after, table).differs(stamp_of(before, table)) == ("rule",), table.name
    assert stamp_of(after, ESP_EVENTS) == stamp_of(before, ESP_EVENTS)
