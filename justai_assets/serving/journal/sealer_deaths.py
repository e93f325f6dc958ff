"""The segment that is being sealed, and how often sealers died of which: a file, because a death forgets the rest.

Deaths are counted for each segment by itself. What else a sealer worked at in between, and how that ended, does not
change them; a segment that was worked through alive has none.
"""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

WORK: Final = "sealer.work"
DEATHS: Final = 2
"""A segment at which so many sealers died is set aside: it would kill the next one as well."""


def note_work(journal: Path, name: str) -> None:
    """Say on disk, before it is opened, which segment is being sealed.

    Where the disk takes no note, sealing goes on without one: it is what makes room on a full disk.
    """
    _write(journal, name, _read(journal)[1])


def forget_work(journal: Path, name: str) -> None:
    """Say that no segment is being sealed, and that the one that was killed nobody."""
    deaths = _read(journal)[1]
    deaths.pop(name, None)
    if not deaths or not _write(journal, None, deaths):
        # A note that stayed would blame this segment for a later death. What cannot be removed is no reason to take
        # the segment for one that did not land.
        with suppress(OSError):
            (journal / WORK).unlink(missing_ok=True)


def deaths_at(journal: Path, name: str) -> int:
    """How many sealers died at a segment since one last worked through it."""
    return _read(journal)[1].get(name, 0)


def count_death(journal: Path) -> None:
    """Count a death of the sealer at the segment it was at, if it was at one.

    Only whoever saw the sealer die while the collector lived may say so: a host that goes down is no segment's fault.
    """
    name, deaths = _read(journal)
    if name is not None:
        _write(journal, None, deaths | {name: deaths.get(name, 0) + 1})


def _read(journal: Path) -> tuple[str | None, dict[str, int]]:
    """The segment in work and the deaths at each; nothing where there is no note, or none that can be read."""
    path = journal / WORK
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        name, deaths = found.get("segment"), found.get("deaths", {})
        if not isinstance(deaths, dict):  # an earlier version: of that segment alone
            deaths = {name: deaths}
        return name, {str(one): int(count) for one, count in deaths.items() if count}
    except (OSError, ValueError, TypeError, AttributeError):
        return None, {}


def _write(journal: Path, name: str | None, deaths: dict[str, int]) -> bool:
    making = journal / f"{WORK}.{secrets.token_hex(4)}"
    try:
        making.write_text(json.dumps({"segment": name, "deaths": deaths}), encoding="utf-8")
        making.replace(journal / WORK)
    except OSError:
        with suppress(OSError):
            making.unlink(missing_ok=True)
        return False
    return True
