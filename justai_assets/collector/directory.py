"""Which orgs have which doors, and their credentials; read again while the collector runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from justai_assets.collector.credentials import NOBODY, Credentials
from justai_assets.orgs.load import OrgFileError, load_orgs
from justai_assets.orgs.model import ChameleonWebhooks, IterableWebhooks, JourneyWebhooks, Org
from justai_assets.orgs.secrets import SecretError

DOORS = ("iterable_webhooks", "journey_webhooks", "chameleon_webhooks")


@dataclass(frozen=True)
class Door:
    """One org's door; `slug` is None for every door that does not exist."""

    slug: str | None
    start: date
    credentials: Credentials


NO_DOOR = Door(None, date.max, NOBODY)

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
        self._seen: dict[Path, tuple[int, int, int]] = {}
        self._broken: dict[str, str] = {}
        self._told: set[tuple[str, str, str]] = set()

    def find(self, door: str, slug: str) -> Door:
        """The door of an org, or NO_DOOR."""
        return self._doors.get((door, slug), NO_DOOR)

    def __len__(self) -> int:
        """How many doors there are."""
        return len(self._doors)

    def reload(self) -> None:
        """Read org files that changed, and every secret.

        A file that became broken leaves its org as it was; a secret that cannot be read leaves its door as it was, or
        closes it when it never could. Both are told once, and again when they come back.
        """
        state = {path: _state(path) for path in sorted(self._folder.glob("*.yaml"))} if self._folder.is_dir() else {}
        if state != self._seen or not self._seen:
            orgs = load_orgs(self._folder, only=self._only)
            self._broken = {slug: _first_line(error) for slug, error in orgs.broken.items()}
            # An org whose file is there but broken keeps what it had; one whose file is gone has no door any more.
            kept = {slug: org for slug, org in self._orgs.items() if slug in orgs.broken and self._has_file(slug)}
            self._orgs = {**kept, **orgs.by_slug}
            self._seen = state
        problems = [("org_file_broken", slug, what) for slug, what in self._broken.items()]
        doors: dict[tuple[str, str], Door] = {}
        for slug, org in self._orgs.items():
            for name, mend in org.closed_doors.items():
                problems.append(("door_accepts_nothing", slug, f"{name} has no credential: {mend}"))
            for name in DOORS:
                source = getattr(org.sources, name)
                if source is None:
                    continue
                try:
                    credentials = _credentials(org, source)
                except SecretError as error:
                    problems.append(("secret_unreadable", slug, f"{name}: {error}"))
                    if (name, slug) in self._doors:
                        doors[name, slug] = self._doors[name, slug]
                    continue
                doors[name, slug] = Door(slug, org.start_date, credentials)
        self._doors = doors
        for event, slug, what in problems:
            if (event, slug, what) not in self._told:
                self._warn(event, {"org": slug, "what": what})
        self._told = set(problems)

    def _has_file(self, slug: str) -> bool:
        return (self._folder / f"{slug}.yaml").exists()


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _first_line(error: OrgFileError) -> str:
    return str(error).partition("\n")[0]


def _credentials(org: Org, source: object) -> Credentials:
    def secrets(references: tuple[str, ...]) -> list[str]:
        return [org.secret(reference).get_secret_value() for reference in references]

    if isinstance(source, IterableWebhooks):
        return Credentials(
            api_keys=secrets(source.api_key),
            authorizations=secrets(source.authorization),
            anonymous=source.allow_unauthenticated,
        )
    if isinstance(source, JourneyWebhooks):
        return Credentials(api_keys=secrets(source.api_key))
    assert isinstance(source, ChameleonWebhooks)
    return Credentials(signing_secrets=secrets((source.signing_secret, *source.previous_signing_secret)))
