from __future__ import annotations

import polars as pl
import pytest

from justai_assets.attribution.rule import Rule, RuleError
from justai_assets.orgs.org_model import Attribution


def test_the_rule_of_an_org_is_what_its_file_says() -> None:
    rule = Rule.of(Attribution(window_hours=48, windows={"purchase": 72}, send_events=("emailSend", "webPushSend")))
    assert rule == Rule(48, {"purchase": 72}, ("emailSend", "webPushSend"))
    assert Rule.of(Attribution()) == Rule()


def test_the_window_is_the_event_names_own_or_the_default() -> None:
    rule = Rule(window_hours=24, windows={"purchase": 72, "signup": 1})
    frame = pl.DataFrame({"event_name": ["purchase", "signup", "other"]}).select(hours=rule.window_expr())
    assert frame["hours"].to_list() == [rule.window_for("purchase"), rule.window_for("signup"), 24] == [72, 1, 24]
    assert frame.schema == {"hours": pl.Int32}


@pytest.mark.parametrize("hours", [0, -1, 73, 24.0, True])
def test_a_window_outside_1_to_72_whole_hours_is_refused_by_name(hours: int) -> None:
    with pytest.raises(RuleError, match="window_hours"):
        Rule(window_hours=hours)
    with pytest.raises(RuleError, match=r"windows\.purchase"):
        Rule(windows={"purchase": hours})


def test_a_rule_without_send_events_is_refused() -> None:
    with pytest.raises(RuleError, match="send_events"):
        Rule(send_events=())
