"""What the report shows as a fate of records."""

from __future__ import annotations

from datetime import UTC, date, datetime

from justai_assets.contract.days import Days
from justai_assets.contract.tables import FATES
from justai_assets.experiments.org_results import judge
from justai_assets.lake.ledger import Fate, fates_frame
from justai_assets.reporting.report_input import report_data
from justai_assets_tests.world import WEBHOOK_ORG, World

DAY = date(2026, 1, 5)


def test_a_column_that_is_not_read_is_no_fate_of_a_record(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG)
    fates = [Fate(DAY, "redshift", name, 50) for name in ("received", "accepted")]
    fates.append(Fate(DAY, "redshift", "unread_column", 50, "store"))
    with world.lake.replacing("acme", FATES, Days(DAY, DAY), partition={"asset": "custom_events"}) as ledger:
        ledger.write(DAY, fates_frame("custom_events", fates))
    data = report_data(org, world.lake, judge(org, world.lake, Days(DAY, DAY)), generated_at=datetime.now(UTC))
    assert [(one.fate, one.records) for one in data.fates] == [("accepted", 50), ("received", 50)]
