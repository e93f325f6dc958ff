import asyncio
from pathlib import Path

import pytest

from justai_assets.serving.journal.backoff import REFUSED_SECONDS
from justai_assets.serving.journal.journal_folders import worker_folders
from justai_assets.serving.journal.journal_writer import Journal
from justai_assets_tests.serving.sealers import Clock, landed_beside, sealer, state
from justai_assets_tests.serving.segments import RECORDS, written
from justai_assets_tests.serving.service import landed


def test_a_landed_segment_is_gone_and_so_is_its_dead_workers_folder(tmp_path: Path) -> None:
    written(tmp_path / "journal", RECORDS)
    found, counted, _ = sealer(tmp_path)
    assert found.run_once() == (1, 0)
    assert len(landed(tmp_path / "landing")) == 6
    assert list(worker_folders(tmp_path / "journal")) == []
    assert (counted["landed_objects"], counted["landed_lines"]) == (5, 6)
    assert found.run_once() == (0, 0)


def test_the_open_segment_of_a_living_worker_is_left_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        journal = Journal(tmp_path / "journal", segment_bytes=1 << 20, segment_seconds=60, min_free_bytes=0)
        await journal.append(*RECORDS[0])
        found, _, _ = sealer(tmp_path)
        assert found.run_once() == (0, 0)
        await journal.append(*RECORDS[1])
        await journal.close()
        assert found.run_once() == (1, 0)

    asyncio.run(scenario())
    assert len(landed(tmp_path / "landing")) == 2


def test_while_the_landing_zone_refuses_everything_stays_and_lands_later(tmp_path: Path) -> None:
    written(tmp_path / "journal", RECORDS)
    written(tmp_path / "journal", RECORDS)
    (tmp_path / "landing").mkdir(exist_ok=True)
    wall = tmp_path / "landing" / "webhooks"
    wall.write_text("in the way")
    clock = Clock()
    found, counted, log = sealer(tmp_path, clock)
    assert found.run_once() == (0, 2)
    assert counted["landing_failures"] == 1, "the second segment would only meet the same"
    assert log.events == ["segment_not_landed"] * 3
    assert {(one["org"], one["door"], one["error"]) for one in log.facts} == {
        ("acme", "iterable_webhooks", "storage_transient"),
        ("acme", "journey_webhooks", "storage_transient"),
        ("other", "iterable_webhooks", "storage_transient"),
    }
    assert all("webhooks/" in str(one["what"]) for one in log.facts)
    assert found.run_once() == (0, 2)
    assert counted["landing_failures"] == 1, "what was refused just now is left alone"
    clock.now += REFUSED_SECONDS
    assert found.run_once() == (0, 2)
    assert counted["landing_failures"] == 2
    wall.unlink()
    clock.now += REFUSED_SECONDS
    assert found.run_once() == (0, 2), "each time it is left alone for twice as long"
    clock.now += REFUSED_SECONDS
    assert found.run_once() == (2, 0)
    assert len(landed(tmp_path / "landing")) == 12


def test_one_orgs_refused_prefix_holds_its_own_lines_and_no_others(tmp_path: Path) -> None:
    for _ in range(3):
        written(tmp_path / "journal", RECORDS)
    wall = tmp_path / "landing" / "webhooks" / "iterable" / "other"
    wall.parent.mkdir(parents=True, exist_ok=True)
    wall.write_text("in the way")
    clock = Clock()
    found, counted, log = sealer(tmp_path, clock)
    assert found.run_once() == (3, 3), "each in part"
    assert len(landed_beside(wall)) == 15
    assert counted["landing_failures"] == 1
    assert [one["org"] for event, one in zip(log.events, log.facts, strict=True) if event == "segment_not_landed"] == [
        "other"
    ]
    states = state(wall)
    for _ in range(3):
        clock.now += REFUSED_SECONDS
        assert found.run_once() == (0, 3)
    assert state(wall) == states, "a day that was landed is not touched again"
    # Another sealer, after a crash, knows no more than the journal says.
    wall.unlink()
    again, counted, _ = sealer(tmp_path)
    assert again.run_once() == (3, 0)
    assert counted["landed_lines"] == 3
    assert {key: one for key, one in state(wall).items() if "/other/" not in key} == states
    assert len(landed(tmp_path / "landing")) == 18
    assert list(worker_folders(tmp_path / "journal")) == []


def test_a_source_refused_for_a_while_does_not_end_every_pass_at_the_same_segment(tmp_path: Path) -> None:
    written(tmp_path / "journal", RECORDS[:1])
    written(tmp_path / "journal", RECORDS[3:4])
    wall = tmp_path / "landing" / "webhooks" / "iterable" / "acme"
    wall.parent.mkdir(parents=True, exist_ok=True)
    wall.write_text("in the way")
    found, _, _ = sealer(tmp_path)
    assert found.run_once() == (0, 2), "all that was tried failed: the landing zone may be away"
    assert found.run_once() == (1, 1)
    assert [one["id"] for one in landed_beside(wall)] == ["d"]


def test_with_no_room_for_the_shorter_segment_what_is_landed_is_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "journal", RECORDS)
    wall = tmp_path / "landing" / "webhooks" / "iterable" / "other"
    wall.parent.mkdir(parents=True, exist_ok=True)
    wall.write_text("in the way")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("justai_assets.serving.journal.sealer.shorten", full)
    clock = Clock()
    found, _, log = sealer(tmp_path, clock)
    found.run_once()
    assert "OSError" in [one.get("error") for one in log.facts]
    states = state(wall)
    clock.now += REFUSED_SECONDS
    found.run_once()
    assert state(wall) == states
    wall.unlink()
    clock.now += 2 * REFUSED_SECONDS
    assert found.run_once() == (1, 0)
    assert len(landed(tmp_path / "landing")) == 6


def test_a_segment_that_was_cut_down_by_a_killed_sealer_is_the_one_or_the_other(tmp_path: Path) -> None:
    segment = written(tmp_path / "journal", RECORDS)
    segment.with_suffix(".rest").write_bytes(b"half of it")
    found, _, _ = sealer(tmp_path)
    assert found.run_once() == (1, 0)
    assert len(landed(tmp_path / "landing")) == 6
    assert list(worker_folders(tmp_path / "journal")) == []
