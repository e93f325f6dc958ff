"""A new org file: what a few answers come to, written only when it loads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from justai_assets.contract.errors import JustAIError
from justai_assets.orgs.load import load_org
from justai_assets.orgs.model import SLUG, Org
from justai_assets.orgs.secrets import references

UNIFIED_DOORS = ("redshift", "databricks", "delta_share")


class NewOrgError(JustAIError):
    """An org file that cannot be made."""

    code = "new_org"


@dataclass(frozen=True)
class Answers:
    """What is asked of a new org.

    Attributes:
        slug: its name in every path.
        start_date: first event_date.
        engagement: the one door of sends, opens and clicks.
        custom: doors of custom events.
        events: workflowId → event name, for journey_webhooks.
        share_table: share.schema.table, for delta_share.
        window_hours: the attribution window.
    """

    slug: str
    start_date: date
    engagement: str
    custom: tuple[str, ...] = ()
    events: Mapping[str, str] = field(default_factory=dict)
    share_table: str | None = None
    window_hours: int = 24

    @property
    def variable(self) -> str:
        """What the names of its secrets' environment variables begin with."""
        name = self.slug.upper().replace("-", "_")
        return f"ORG_{name}" if name[0].isdigit() else name


def document(answers: Answers) -> dict[str, Any]:
    """The org file's content. A warehouse door named as engagement carries the unified stream, else custom events."""
    doors = dict.fromkeys((answers.engagement, *answers.custom))
    return {
        "slug": answers.slug,
        "start_date": answers.start_date,
        "pseudonym_salt": f"env:{answers.variable}_SALT",
        "engagement": answers.engagement,
        **({"custom": list(answers.custom)} if answers.custom else {}),
        "sources": {door: _source(door, answers) for door in doors},
        "attribution": {"window_hours": answers.window_hours},
    }


def create(folder: Path, answers: Answers) -> Org:
    """Write `<slug>.yaml` into a folder, made when it is not there, and return the org as it loads.

    Raises:
        NewOrgError: there is such a file, or the slug is none.
        OrgFileError: the answers do not make an org; nothing was written.
    """
    if not SLUG.fullmatch(answers.slug):
        raise NewOrgError(
            f"{answers.slug!r} is not a slug", mend="use 1 to 63 lower-case letters, digits and hyphens, letter first"
        )
    file = folder / f"{answers.slug}.yaml"
    text = yaml.safe_dump(document(answers), sort_keys=False, allow_unicode=True)
    with TemporaryDirectory() as scratch:
        trial = Path(scratch) / file.name
        trial.write_text(text, encoding="utf-8")
        load_org(trial)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # Exclusive creation: of two who make the same org, one is told.
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise NewOrgError(f"{file} is there already", mend="edit it, or choose another slug") from None
    return load_org(file)


def next_steps(org: Org) -> list[str]:
    """The three things to do next, as text for a person."""
    doors = " ".join(f"`justai connect {door} --org {org.slug}`" for door in org.sources.present())
    secrets = ", ".join(_named(references(org).values()))
    return [
        f"Set its secrets ({secrets}), then `justai org check {org.slug}`.",
        f"Send the customer what to do: {doors}.",
        f"When events arrive, `justai doctor --org {org.slug}`; then materialize its days.",
    ]


def _named(found: Iterable[str]) -> list[str]:
    return [reference.removeprefix("env:") for reference in found]


def _source(door: str, answers: Answers) -> dict[str, Any]:
    if door == "journey_webhooks":
        return {"api_key": f"env:{answers.variable}_API_KEY", "events": dict(answers.events)}
    if door == "chameleon_webhooks":
        return {"signing_secret": f"env:{answers.variable}_CHAMELEON"}
    if door in {"redshift", "databricks"}:
        return {"content": "unified_events" if door == answers.engagement else "custom_events"}
    if door == "delta_share":
        return {"profile": f"env:{answers.variable}_SHARE", "table": answers.share_table or ""}
    return {}
