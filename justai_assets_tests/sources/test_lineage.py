from datetime import date

import pytest

from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    ATTRIBUTION_METRICS,
    COPY_DAILY,
    CUSTOM_EVENTS,
    DELTA_SHARE,
    ESP_EVENTS,
    MESSAGE_OUTCOMES,
    SERVED_COPIES,
    UNIFIED_EVENTS,
)
from justai_assets.orgs.org_model import Org
from justai_assets.sources.lineage import (
    downstream,
    landed_by_table,
    org_sources,
    org_tables,
    reads,
    sources_of,
    table_of,
    upstream,
)
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG

TEMPLATES = [{"id": "welcome", "treatment": {"template_id": "1", "campaign_id": "2"}}]
SHARED = {
    **UNIFIED_ORG,
    "engagement": "delta_share",
    "sources": {"delta_share": {"profile": "env:P", "table": "a.b.c"}},
}
PLAIN = {**WEBHOOK_ORG, "custom": []}


def org(base: dict[str, object], **changes: object) -> Org:
    return Org.model_validate({**base, **changes})


ALL = [org(base, templates=more) for base in (WEBHOOK_ORG, PLAIN, UNIFIED_ORG, SHARED) for more in ([], TEMPLATES)]


def test_an_org_has_the_tables_that_its_sources_need_upstream_first() -> None:
    assert org_tables(org(WEBHOOK_ORG, templates=TEMPLATES)) == (
        ESP_EVENTS, CUSTOM_EVENTS, ATTRIBUTED_EVENTS, UNIFIED_EVENTS, ATTRIBUTION_METRICS, SERVED_COPIES,
        MESSAGE_OUTCOMES, COPY_DAILY,
    )  # fmt: skip
    assert org_tables(org(PLAIN)) == (ESP_EVENTS, UNIFIED_EVENTS, ATTRIBUTION_METRICS, MESSAGE_OUTCOMES)
    assert org_tables(org(SHARED)) == (DELTA_SHARE, UNIFIED_EVENTS, ATTRIBUTION_METRICS, MESSAGE_OUTCOMES)


@pytest.mark.parametrize("one", ALL, ids=lambda one: f"{one.engagement}-{len(one.custom)}-{len(one.templates)}")
def test_every_table_is_made_of_landed_objects_or_of_tables_before_it(one: Org) -> None:
    tables = org_tables(one)
    landed = landed_by_table(one)
    for at, table in enumerate(tables):
        made_of = [read.table for read in reads(one, table)]
        assert all(part in tables[:at] for part in made_of)
        # A mirror is asked for, so it has neither.
        assert bool(made_of) != (table in landed) or table == DELTA_SHARE
        assert set(upstream(one, table)) <= set(tables[:at])
        assert all(table in upstream(one, later) for later in downstream(one, table))
    assert {source for found in landed.values() for source in found} <= set(org_sources(one))


def test_custom_sources_stand_in_the_order_of_the_org_file() -> None:
    one = org(WEBHOOK_ORG, custom=["redshift", "journey_webhooks"])
    assert sources_of(one, CUSTOM_EVENTS) == ("redshift", "journey_webhooks")


def test_a_source_that_is_named_by_no_event_class_feeds_no_table() -> None:
    one = org(WEBHOOK_ORG, custom=["redshift"])
    assert table_of(one, "journey_webhooks") is None
    assert table_of(one, "redshift") == CUSTOM_EVENTS
    assert "journey_webhooks" in org_sources(one)


def test_generates_records_are_a_source_of_orgs_with_templates_alone() -> None:
    with_templates, without = org(WEBHOOK_ORG, templates=TEMPLATES), org(WEBHOOK_ORG)
    assert landed_by_table(with_templates)[SERVED_COPIES] == ("generate",)
    assert "generate" not in org_sources(without)
    assert table_of(without, "generate") is None


def test_a_message_is_followed_for_three_days_and_looks_back_as_far() -> None:
    one = org(WEBHOOK_ORG, templates=TEMPLATES)
    spans = {read.table.name: (read.back, read.ahead) for read in reads(one, MESSAGE_OUTCOMES)}
    assert spans == {"esp_events": (3, 3), "attributed_events": (3, 3), "served_copies": (1, 0)}
    assert [(read.table, read.back) for read in reads(one, ATTRIBUTED_EVENTS)] == [(ESP_EVENTS, 3), (CUSTOM_EVENTS, 0)]
    assert one.start_date == date(2026, 1, 1)
