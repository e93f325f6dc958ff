from __future__ import annotations

from datetime import date

import pytest

from justai_assets.sources.delta_share.mirror_state import MirrorState, StateError


def test_a_state_survives_being_kept_as_text() -> None:
    days = {date(2026, 1, 1): "f1", None: "f2"}
    state = MirrorState("a.b.c", 7, days, {"file": "2026-01-01..2026-01-03"}, change_feed=True, lake_version=3)
    assert MirrorState.from_json(state.to_json()) == state


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format":2}', '{"format":1}', '{"format":1,"days":{"x":"y"}}'])
def test_a_state_that_cannot_be_read_says_to_delete_it(text: str) -> None:
    with pytest.raises(StateError, match="delete it"):
        MirrorState.from_json(text)
