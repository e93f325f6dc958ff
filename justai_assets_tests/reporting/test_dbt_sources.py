"""The lake of all orgs as one dataset, on disk and on S3, without a column about a person."""

from __future__ import annotations

import pyarrow.dataset as pads

from justai_assets.contract.tables import ATTRIBUTED_EVENTS, ESP_EVENTS, FATES, MESSAGE_OUTCOMES
from justai_assets.reporting.dbt_sources import LAKE_COLUMNS, ORG_SOURCES, lake_dataset
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp

IDS = {"messageId": "m" * 32, "templateId": 501, "campaignId": 9001}


def test_the_rows_of_all_orgs_carry_their_org_and_only_their_days_are_read(any_world: World) -> None:
    orgs = [any_world.add_org(WEBHOOK_ORG), any_world.add_org({**WEBHOOK_ORG, "slug": "zeta"})]
    for day in ("2026-01-05", "2026-01-06"):
        any_world.land("iterable_webhooks", "acme", day, [esp("emailSend", f"{day} 10:00:00", **IDS)])
    assert any_world.materialize("2026-01-05", "2026-01-06")

    found = lake_dataset(any_world.lake, orgs, ESP_EVENTS, LAKE_COLUMNS[ESP_EVENTS])
    rows = found.to_table().to_pylist()
    assert [(row["org"], row["door"], str(row["event_date"])) for row in rows] == [
        ("acme", "iterable_webhooks", "2026-01-05"),
        ("acme", "iterable_webhooks", "2026-01-06"),
    ]
    day = pads.field("event_date") == rows[0]["event_date"]
    assert len(list(found.get_fragments(filter=day))) == 1
    assert list(found.get_fragments(filter=pads.field("org") == "zeta")) == []
    fates = lake_dataset(any_world.lake, orgs, FATES, LAKE_COLUMNS[FATES]).to_table()
    assert set(fates["asset"].to_pylist()) > {"esp_events", "custom_events"}


def test_no_column_about_a_person_can_be_read() -> None:
    for table in (ESP_EVENTS, ATTRIBUTED_EVENTS, MESSAGE_OUTCOMES):
        assert not {"email_key", "user_key", "person", "event_id", "source_file"} & set(LAKE_COLUMNS[table])


def test_what_the_org_files_say_is_there_also_without_any_org(world: World) -> None:
    templates = [{"id": "a", "key_metric": "buy", "treatment": {"template_id": "1", "campaign_id": "2"}}]
    org = world.add_org(UNIFIED_ORG, templates=templates, attribution={"send_events": ["letterSend"]})
    (row,) = ORG_SOURCES["templates"]([org]).to_pylist()
    assert (row["org"], row["arm"], row["template_id"], row["window_hours"]) == ("globex", "treatment", "1", 24)
    classes = {row["event_name"]: row["event_class"] for row in ORG_SOURCES["event_classes"]([org]).to_pylist()}
    assert (classes["letterSend"], classes["emailOpen"], classes["emailBounce"]) == ("send", "open", "engagement")
    webhooks = world.add_org(WEBHOOK_ORG)
    doors = {(row["org"], row["asset"], row["door"]) for row in ORG_SOURCES["doors"]([org, webhooks]).to_pylist()}
    assert doors == {
        ("globex", "unified_events", "databricks"),
        ("acme", "esp_events", "iterable_webhooks"),
        ("acme", "custom_events", "journey_webhooks"),
        ("acme", "custom_events", "redshift"),
    }
    assert all(source([]).num_rows == 0 for source in ORG_SOURCES.values())
