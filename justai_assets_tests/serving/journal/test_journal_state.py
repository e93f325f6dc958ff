import asyncio
from pathlib import Path

from justai_assets.serving.counters import Counters
from justai_assets.serving.journal.journal_state import STALLED_SECONDS, JournalState
from justai_assets_tests.serving.segments import RECORDS, written


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_what_waits_is_seen_with_the_age_of_the_oldest(tmp_path: Path) -> None:
    segment = written(tmp_path / "journal", RECORDS)
    began = segment.stat().st_mtime
    state = JournalState(tmp_path / "journal", now=lambda: began + 90)
    try:
        assert state.seen.backlog_bytes == segment.stat().st_size
        assert state.seen.oldest_seconds == 90
        segment.unlink()
        assert asyncio.run(state.fresh()).oldest_seconds == 0
    finally:
        state.close()


def test_without_a_sign_of_life_of_the_sealer_landing_is_stalled_and_with_one_it_is_not(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "journal" / "counters" / "sealer-1.counts")
    clock = Clock()
    state = JournalState(tmp_path / "journal", monotonic=clock)
    try:
        assert not state.seen.is_stalled
        clock.now += STALLED_SECONDS + 1
        state.look()
        assert state.seen.is_stalled
        counters.add("landing_failures")
        state.look()
        assert state.seen.is_stalled, "to fail is no progress"
        counters.add("sealer_passes")
        state.look()
        assert not state.seen.is_stalled
    finally:
        state.close()


def test_a_look_that_fails_keeps_what_was_seen_and_is_told_once(tmp_path: Path, monkeypatch) -> None:
    told: list[str] = []
    state = JournalState(tmp_path / "journal", told.append)
    try:
        seen = state.seen
        monkeypatch.setattr("justai_assets.serving.journal.journal_state.waiting_segments", lambda _: 1 / 0)
        for _ in range(2):
            assert asyncio.run(state.fresh()) == seen
        assert told == ["ZeroDivisionError"]
    finally:
        state.close()
