import asyncio
from collections import Counter
from pathlib import Path

from justai_assets.collector.folders import worker_folders
from justai_assets.collector.journal import Journal
from justai_assets.collector.sealer import Sealer
from justai_assets.storage import Root
from justai_assets_tests.collector.service import landed
from justai_assets_tests.collector.test_seal import RECORDS, written


class Log:
    def __init__(self) -> None:
        self.events: list[str] = []

    def info(self, event: str, **_: object) -> None:
        self.events.append(event)

    error = info


def sealer(base: Path) -> tuple[Sealer, Counter[str], Log]:
    counted: Counter[str] = Counter()
    log = Log()

    def count(name: str, amount: int) -> None:
        counted[name] += amount

    return Sealer(base / "journal", Root.parse(str(base / "landing")), count, log), counted, log


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
    (tmp_path / "landing").mkdir()
    wall = tmp_path / "landing" / "webhooks"
    wall.write_text("in the way")
    found, counted, log = sealer(tmp_path)
    assert found.run_once() == (0, 1), "the second segment would only meet the same"
    assert found.run_once() == (0, 1)
    assert counted["landing_failures"] == 2
    assert log.events == ["segment_not_landed"] * 2
    wall.unlink()
    assert found.run_once() == (2, 0)
    assert len(landed(tmp_path / "landing")) == 12


def test_a_damaged_segment_is_kept_aside_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
    damaged = written(tmp_path / "journal", RECORDS)
    content = bytearray(damaged.read_bytes())
    content[content.find(b'"id":"c"') + 6] ^= 1
    damaged.write_bytes(content)
    written(tmp_path / "journal", RECORDS)
    found, counted, log = sealer(tmp_path)
    assert found.run_once() == (2, 0)
    assert len(landed(tmp_path / "landing")) == 11
    (aside,) = (tmp_path / "journal" / "damaged").iterdir()
    assert aside.read_bytes() == bytes(content)
    assert counted["damaged_bytes"] > 0
    assert "segment_damaged" in log.events


def test_a_segment_with_a_tag_from_the_future_waits_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
    written(tmp_path / "journal", [(b"new_door/acme/2026-01-05/x", b"{}\n")])
    written(tmp_path / "journal", RECORDS)
    found, _, _ = sealer(tmp_path)
    assert found.run_once() == (1, 1)
    assert len(landed(tmp_path / "landing")) == 6
