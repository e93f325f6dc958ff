"""Which orgs have which doors, and their credentials; read again while the collector runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from justai_assets.orgs.org_loader import OrgFileError, load_orgs
from justai_assets.orgs.org_model import Org
from justai_assets.orgs.secrets import SecretError
from justai_assets.serving.credentials import NOBODY, Credentials
from justai_assets.sources.registry import http_sources
from justai_assets.sources.source import CredentialRefs


@dataclass(frozen=True)
class Door:
    """One org's door.

    Attributes:
        slug: the org; None for every door that does not exist or is out of order.
        start: the org's first day.
        credentials: who may send.
        is_out_of_order: the org's file or a secret cannot be read, so nobody can tell whether the door exists or who
            may use it: a sender is asked to come back.
        label: the org as it may be counted and logged; None when there is none.
    """

    slug: str | None
    start: date
    credentials: Credentials
    is_out_of_order: bool = False
    label: str | None = None


NO_DOOR = Door(None, date.max, NOBODY)

NOTHING_KNOWN = Door(None, date.max, NOBODY, is_out_of_order=True)
"""Every door, while no org file was ever there to be read."""

Warn = Callable[[str, dict[str, str]], None]


class Directory:
    """The doors of all orgs.

    Args:
        folder: of org files.
        only: slugs of this slice, or None for all.
        warn: called with an event name and its facts (never a secret) for what an operator should know.
    """

    def __init__(self, folder: Path, only: tuple[str, ...] | None, warn: Warn) -> None:
        self._folder = folder
        self._only = only
        self._warn = warn
        self._doors: dict[tuple[str, str], Door] = {}
        self._orgs: dict[str, Org] = {}
        self._seen: dict[Path, tuple[int, int, int] | None] = {}
        self._broken: dict[str, str] = {}
        self._unusable: dict[str, Door] = {}
        self._told: set[tuple[str, str, str]] = set()

    def find(self, door: str, slug: str) -> Door:
        """The door of an org, one that is out of order, or NO_DOOR."""
        found = self._doors.get((door, slug))
        if found is not None:
            return found
        if not self._orgs and not self._broken:
            return NOTHING_KNOWN
        return self._unusable.get(slug, NO_DOOR)

    def __len__(self) -> int:
        """How many doors there are that can be used."""
        return sum(door.slug is not None for door in self._doors.values())

    def reload(self) -> None:
        """Read org files that changed, and every secret.

        A file that became broken leaves its org as it was, a secret that cannot be read leaves its door as it was, and
        a folder that is gone or empty leaves everything as it was: that is a mount or a deployment, not an operator
        who closes every door. What never could be read is out of order. All of it is told once, and again when it
        comes back.
        """
        problems: list[tuple[str, str, str]] = []
        state = self._state()
        if not state:
            problems.append(("orgs_folder_empty", "", "there is no org file; what was known before stays"))
        elif state != self._seen:
            self._read(state)
        problems += [("org_file_broken", slug, what) for slug, what in self._broken.items()]
        doors: dict[tuple[str, str], Door] = {}
        for slug, org in self._orgs.items():
            for name, fix in org.closed_sources.items():
                problems.append(("door_accepts_nothing", slug, f"{name} has no credential: {fix}"))
            for name in http_sources():
                settings = org.sources.of(name)
                if settings is None:
                    continue
                try:
                    doors[name, slug] = Door(slug, org.start_date, _credentials(org, settings.credentials), label=slug)
                except (SecretError, OSError, ValueError) as error:
                    what = str(error) if isinstance(error, SecretError) else type(error).__name__
                    problems.append(("secret_unreadable", slug, f"{name}: {what}"))
                    doors[name, slug] = self._doors.get((name, slug), _out_of_order(slug))
        self._doors = doors
        self._unusable = {slug: _out_of_order(slug) for slug in self._broken if slug not in self._orgs}
        for event, slug, what in problems:
            if (event, slug, what) not in self._told:
                self._warn(event, {"org": slug, "what": what})
        self._told = set(problems)

    def _state(self) -> dict[Path, tuple[int, int, int] | None]:
        """What each org file looks like from outside; None for one that cannot be looked at."""
        if not self._folder.is_dir():
            return {}
        return {path: _state(path) for path in sorted(self._folder.iterdir()) if path.suffix in {".yaml", ".yml"}}

    def _read(self, state: dict[Path, tuple[int, int, int] | None]) -> None:
        orgs = load_orgs(self._folder, only=self._only)
        self._broken = {slug: _first_line(error) for slug, error in orgs.broken.items()}
        # An org whose file is there but broken keeps what it had; one whose file is gone has no door any more.
        kept = {slug: org for slug, org in self._orgs.items() if slug in orgs.broken and self._has_file(slug)}
        self._orgs = {**kept, **orgs.by_slug}
        self._seen = state

    def _has_file(self, slug: str) -> bool:
        return os.path.lexists(self._folder / f"{slug}.yaml")


def _out_of_order(slug: str) -> Door:
    return Door(None, date.max, NOBODY, is_out_of_order=True, label=slug)


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:  # a link that leads nowhere: its org is broken, and no other is
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _first_line(error: OrgFileError) -> str:
    return str(error).partition("\n")[0]


def _credentials(org: Org, given: CredentialRefs) -> Credentials:
    def secrets(references: tuple[str, ...]) -> list[str]:
        return [org.secret(reference).get_secret_value() for reference in references]

    return Credentials(
        api_keys=secrets(given.api_keys),
        authorizations=secrets(given.authorizations),
        signing_secrets=secrets(given.signing_secrets),
        anonymous=given.is_open,
    )
