from __future__ import annotations

import polars as pl

from justai_assets.attribution.attributed_day import attribute_day
from justai_assets.attribution.rule import Rule
from justai_assets.attribution.unified import unify_day
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets_tests.attribution.events import DAY, custom_table, engagement_table
from justai_assets_tests.attribution.test_attributed_day import E1, U1, purchase, send


def test_the_unified_day_is_the_engagement_and_the_attributed_events_under_their_sends_ids() -> None:
    engagement = engagement_table([send(1, "m", E1, None), send(2, "m", E1, None, name="emailOpen")])
    custom = custom_table([purchase(3, E1, None), purchase(3, E1, None), purchase(4, None, U1)])
    attributed = pl.concat(attribute_day(engagement.lazy(), custom.lazy(), DAY, Rule()))
    out = unify_day(engagement.lazy(), attributed.lazy())
    assert out.collect_schema() == UNIFIED_EVENTS.schema
    assert sorted(out.select("event_name", "message_id", "template_id").collect().rows()) == [
        ("emailOpen", "m", "t"), ("emailSend", "m", "t"), ("purchase", "m", "t"), ("purchase", "m", "t"),
    ]  # fmt: skip
