from __future__ import annotations

from datetime import timedelta

import pytest

from justai_assets.contract.tables import ATTRIBUTED_EVENTS
from justai_assets.lake.ledger import ATTRIBUTED, RECEIVED, UNATTRIBUTED, Fate
from justai_assets.lake.store import Lake
from justai_assets.quality.attribution_share import attribution_share
from justai_assets.quality.day_result import Verdict
from justai_assets_tests.quality.lakes import DAY, ONE, SLUG, write_fates


def judge(lake: Lake, today: int, of: int, history: int = 14) -> Verdict:
    fates = []
    for back in range(history + 1):
        day = DAY - timedelta(days=back)
        count, matched = (of, today) if back == 0 else (200, 100 + back % 3)
        fates += [
            Fate(day, "custom_events", RECEIVED, count),
            Fate(day, "custom_events", ATTRIBUTED, matched),
            Fate(day, "custom_events", UNATTRIBUTED, count - matched, "no_send"),
        ]
    write_fates(lake, ATTRIBUTED_EVENTS.name, fates)
    return attribution_share(lake, SLUG, ONE)[0]


@pytest.mark.parametrize(
    ("matched", "is_sound"), [(100, True), (92, True), (85, False), (0, False), (125, False), (200, False)]
)
def test_a_share_out_of_its_usual_band_warns(lake: Lake, matched: int, is_sound: bool) -> None:
    verdict = judge(lake, matched, 200)
    assert verdict.is_sound == is_sound
    assert verdict.problems == ()
    assert verdict.numbers["share"] == matched / 200


def test_a_new_org_has_no_usual_share(lake: Lake) -> None:
    assert judge(lake, 0, 200, history=6).is_sound


def test_a_handful_of_events_says_nothing(lake: Lake) -> None:
    assert judge(lake, 0, 49).is_sound


def test_a_day_without_custom_events_is_sound(lake: Lake) -> None:
    verdict = judge(lake, 0, 0)
    assert verdict.is_sound
    assert "share" not in verdict.numbers
