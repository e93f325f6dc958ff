"""Which copy a message had, for the messages of a send day; what became of every record is in the ledger."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from justai_assets.contract.days import Days
from justai_assets.contract.tables import FATES, SERVED_COPIES
from justai_assets.events.served_copies import copies_of_sends
from justai_assets.orgs.org_model import Org
from justai_assets.sources.intake_build import build_from_doors
from justai_assets_tests.sources.doors import DAY
from justai_assets_tests.sources.generate.test_parse import NOON, record
from justai_assets_tests.world import WEBHOOK_ORG, World

DAY_SECONDS = 86_400


@pytest.fixture
def org(any_world: World) -> Org:
    return any_world.add_org(WEBHOOK_ORG)


def build(world: World, org: Org) -> None:
    days = Days(DAY - timedelta(1), DAY + timedelta(1))
    build_from_doors(org, world.landing, world.lake, SERVED_COPIES, ("generate",), days)


def copies(world: World, org: Org, day: date = DAY) -> dict[str, str]:
    frame = copies_of_sends(org, world.lake, day).collect()
    assert frame["message_id"].is_unique().all()
    return dict(frame.rows())


def test_without_records_no_copy_is_known(any_world: World, org: Org) -> None:
    assert copies(any_world, org) == {}


def test_a_message_rendered_before_midnight_and_sent_after_it_has_its_copy(any_world: World, org: Org) -> None:
    for at, name in ((-1, "m1"), (0, "m2"), (1, "m3")):
        line = record(event_timestamp=NOON + at * DAY_SECONDS, tracking_id=name)
        any_world.land("generate", "acme", DAY + timedelta(at), [line])
    build(any_world, org)
    assert set(copies(any_world, org)) == {"m1", "m2"}


def test_of_several_calls_for_a_message_the_last_counts(any_world: World, org: Org) -> None:
    any_world.land("generate", "acme", DAY, [
        record(tracking_id="m", copy_id="b", event_timestamp=NOON + 5),
        record(tracking_id="m", copy_id="c", event_timestamp=NOON),
        record(tracking_id="m", copy_id="a", event_timestamp=NOON + 5),
    ])  # fmt: skip
    before = record(tracking_id="m", copy_id="z", event_timestamp=NOON - DAY_SECONDS)
    any_world.land("generate", "acme", DAY - timedelta(1), [before])
    build(any_world, org)
    assert copies(any_world, org) == {"m": "b"}


def test_every_record_is_accounted_for_and_the_table_holds_ids_only(any_world: World, org: Org) -> None:
    lines = [record(tracking_id="m1"), record(tracking_id="m1"), record(copy_id=None), "{"]
    any_world.land("generate", "acme", DAY, lines)
    build(any_world, org)
    assert copies(any_world, org).keys() == {"m1"}
    rows = any_world.table(FATES).filter(pl.col("event_date") == DAY, pl.col("records") > 0)
    assert sorted(rows.select("fate", "reason", "records").rows(), key=str) == [
        ("accepted", None, 1), ("duplicate", None, 1), ("quarantined", "missing_copy_id", 1),
        ("quarantined", "not_json", 1), ("received", None, 4),
    ]  # fmt: skip
    text = any_world.table(SERVED_COPIES).select(pl.col(pl.String)).unpivot()["value"].str.join(" ").item()
    assert "ada" not in text
    assert "london" not in text
