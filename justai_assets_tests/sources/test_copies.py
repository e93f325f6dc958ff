"""Which copy a message had, for the messages of a send day."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from justai_assets.sources.copies import COPIES, ServedCopies
from justai_assets_tests.sources.doors import DAY
from justai_assets_tests.sources.test_generate import NOON, record
from justai_assets_tests.world import WEBHOOK_ORG, World

DAY_SECONDS = 86_400


@pytest.fixture
def served(any_world: World, tmp_path: Path) -> ServedCopies:
    return ServedCopies(any_world.landing, any_world.add_org(WEBHOOK_ORG), tmp_path)


def land(served: ServedCopies, world: World, day: date, *lines: str) -> None:
    world.land("generate", "acme", day, lines)


def copies(served: ServedCopies, day: date = DAY) -> dict[str, str]:
    frame = served.of_sends(day).collect()
    assert frame.schema == COPIES
    assert frame["message_id"].is_unique().all()
    return dict(frame.rows())


def test_without_records_no_copy_is_known(served: ServedCopies) -> None:
    assert copies(served) == {}
    assert served.fates() == {}


def test_a_message_rendered_before_midnight_and_sent_after_it_has_its_copy(
    served: ServedCopies, any_world: World
) -> None:
    land(served, any_world, DAY - timedelta(1), record(event_timestamp=NOON - DAY_SECONDS, tracking_id="m1"))
    land(served, any_world, DAY, record(tracking_id="m2"))
    land(served, any_world, DAY + timedelta(1), record(event_timestamp=NOON + DAY_SECONDS, tracking_id="m3"))
    assert set(copies(served)) == {"m1", "m2"}


def test_of_several_calls_for_a_message_the_last_counts(served: ServedCopies, any_world: World) -> None:
    land(
        served, any_world, DAY,
        record(tracking_id="m", copy_id="b", event_timestamp=NOON + 5),
        record(tracking_id="m", copy_id="c", event_timestamp=NOON),
        record(tracking_id="m", copy_id="a", event_timestamp=NOON + 5),
    )  # fmt: skip
    land(
        served, any_world, DAY - timedelta(1),
        record(tracking_id="m", copy_id="z", event_timestamp=NOON - DAY_SECONDS),
    )  # fmt: skip
    assert copies(served) == {"m": "b"}


def test_every_record_is_accounted_for_once_however_many_days_ask(served: ServedCopies, any_world: World) -> None:
    land(served, any_world, DAY, record(tracking_id="m1"), record(tracking_id="m1"), record(copy_id=None), "{")
    for day in (DAY, DAY + timedelta(1)):
        assert set(copies(served, day)) == {"m1"}
    assert served.fates() == {
        "received": 4,
        "accepted": 1,
        "duplicate": 1,
        "quarantined: missing_copy_id": 1,
        "quarantined: not_json": 1,
    }


def test_what_waits_on_disk_holds_ids_only(served: ServedCopies, any_world: World) -> None:
    land(served, any_world, DAY, record())
    copies(served)
    kept = b"".join(path.read_bytes() for path in served.scratch.glob("copies-*"))
    assert b"ada" not in kept
    assert b"london" not in kept
