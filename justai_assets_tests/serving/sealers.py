"""A sealer for tests, with a log and a clock of its own."""

from collections import Counter
from pathlib import Path
from typing import Any

from justai_assets.serving.journal.sealer import Sealer
from justai_assets.storage import Root
from justai_assets_tests.serving.service import landed


class Log:
    def __init__(self) -> None:
        self.events: list[str] = []
        self.facts: list[dict[str, object]] = []

    def info(self, event: str, **facts: object) -> None:
        self.events.append(event)
        self.facts.append(facts)

    error = warning = info


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def sealer(base: Path, clock: Clock | None = None) -> tuple[Sealer, Counter[str], Log]:
    counted: Counter[str] = Counter()
    log = Log()

    def count(name: str, amount: int) -> None:
        counted[name] += amount

    root = Root.parse(str(base / "landing"))
    return Sealer(base / "journal", root, count, log, clock or Clock()), counted, log


def landed_beside(wall: Path) -> list[dict[str, Any]]:
    """What is landed, although a file stands where a folder should."""
    content = wall.read_text()
    wall.unlink()
    try:
        return landed(wall.parents[2])
    finally:
        wall.write_text(content)


def state(wall: Path) -> dict[str, int]:
    """Each landing object and when it was written."""
    return {str(path): path.stat().st_mtime_ns for path in wall.parents[2].rglob("*.zst")}
