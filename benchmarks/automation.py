"""What the automation of many orgs costs, tick by tick."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.location import write_orgs

MAX_IDLE_CPU_SECONDS: Final = 2.0
MAX_CHANGING_CPU_SECONDS: Final = 5.0
MAX_CURSOR_BYTES: Final = 1_000_000


@dataclass(frozen=True)
class AutomationTick:
    """One tick over all orgs. The CPU is the evaluating process's, and the same beside other work."""

    kind: str
    cpu_seconds: float
    requests: int
    cursor_bytes: int

    @property
    def is_within(self) -> bool:
        """Whether the targets for 200 orgs hold."""
        limit = MAX_IDLE_CPU_SECONDS if self.kind == "nothing new" else MAX_CHANGING_CPU_SECONDS
        return self.cpu_seconds <= limit and self.cursor_bytes <= MAX_CURSOR_BYTES

    def __str__(self) -> str:
        """One line."""
        return (
            f"automation, {self.kind:<17} CPU {self.cpu_seconds:5.2f} s  {self.requests:>4} requests  "
            f"cursor {self.cursor_bytes / 1e3:5.1f} kB"
        )


def automation_ticks(orgs: int = 200, days: int = 400) -> Iterator[AutomationTick]:
    """Ticks at rest and after changes, in a fresh process."""
    with TemporaryDirectory(prefix="justai-bench-") as folder:
        write_orgs(Path(folder), orgs, start=datetime.now(UTC).date() - timedelta(days=days - 1))
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.automation_cost", folder]
        done = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603 - fixed program
        for found in map(json.loads, done.stdout.splitlines()):
            yield AutomationTick(found["kind"], found["cpu"], found["requests"], found["bytes"])


def main() -> bool:
    """Print the ticks; whether the targets hold."""
    is_within = True
    for tick in automation_ticks():
        sys.stdout.write(f"{tick}\n")
        sys.stdout.flush()
        is_within = is_within and tick.is_within
    return is_within


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
