from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from justai_assets.contract.days import Days
from justai_assets.sources.delta_share.mirror_state import MirrorState, StateError, load_state, save_state, sole_user
from justai_assets.sources.delta_share.mirror_table import build_unified_from_mirror
from justai_assets.sources.delta_share.share_errors import TransientShareError
from justai_assets_tests.sources.delta_share.shared import D1, D2, D3, Mirrored


def test_a_state_survives_being_kept_as_text() -> None:
    days = {date(2026, 1, 1): "f1", None: "f2"}
    state = MirrorState("a.b.c", 7, days, {"file": "2026-01-01..2026-01-03"}, change_feed=True, lake_version=3)
    assert MirrorState.from_json(state.to_json()) == state


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format":2}', '{"format":1}', '{"format":1,"days":{"x":"y"}}'])
def test_a_state_that_cannot_be_read_says_to_delete_it(text: str) -> None:
    with pytest.raises(StateError, match="delete it"):
        MirrorState.from_json(text)


def test_a_state_is_kept_beside_the_orgs_tables(mirrored: Mirrored) -> None:
    assert load_state(mirrored.lake, "acme") is None
    save_state(mirrored.lake, "acme", MirrorState("a.b.c", 7, {D1: "f"}))
    save_state(mirrored.lake, "acme", MirrorState("a.b.c", 8, {D1: "f"}))
    assert load_state(mirrored.lake, "acme") == MirrorState("a.b.c", 8, {D1: "f"})
    assert load_state(mirrored.lake, "globex") is None


def test_a_damaged_state_says_to_delete_it(mirrored: Mirrored) -> None:
    mirrored.lake.root.write("acme/delta_share.state.json", b"{")
    with pytest.raises(StateError, match="delete it"):
        load_state(mirrored.lake, "acme")


def test_a_work_folder_has_one_user_at_a_time(tmp_path: Path) -> None:
    with sole_user(tmp_path / "acme"):
        with pytest.raises(TransientShareError, match="another run"), sole_user(tmp_path / "acme"):
            pass
        with sole_user(tmp_path / "globex"):
            pass
    with sole_user(tmp_path / "acme"):
        pass


def test_the_mirror_passes_through_to_the_unified_stream(mirrored: Mirrored) -> None:
    from justai_assets.contract.tables import UNIFIED_EVENTS
    from justai_assets.quality.conservation import conservation
    from justai_assets_tests.sources.delta_share.shared import ordered

    mirrored.run()
    reports = build_unified_from_mirror("acme", mirrored.lake, Days(D1, D2))
    assert [(report.day, report.rows) for report in reports] == [(D1, 5), (D2, 5)]
    unified = ordered(mirrored.lake.scan("acme", UNIFIED_EVENTS).collect())
    assert unified.equals(mirrored.rows().filter(mirrored.rows()["event_date"] < D3))
    assert all(verdict.is_sound for verdict in conservation(mirrored.lake, "acme", UNIFIED_EVENTS, Days(D1, D2)))


def test_the_work_folder_and_those_it_needs_are_this_users_alone(tmp_path: Path) -> None:
    work = tmp_path / "a" / "b" / "acme"
    with sole_user(work):
        assert [path.stat().st_mode & 0o077 for path in (work.parent, work.parent.parent)] == [0, 0]
