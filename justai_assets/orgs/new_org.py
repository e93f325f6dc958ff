"""A new org file: what a few answers come to, written only when it loads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from justai_assets.contract.errors import JustAIError
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.orgs.org_loader import OrgFileError, load_org
from justai_assets.orgs.org_model import SLUG, Org
from justai_assets.orgs.secrets import reference_of, references
from justai_assets.orgs.templates import Template
from justai_assets.sources.registry import SOURCES
from justai_assets.sources.source import Asked


class NewOrgError(JustAIError):
    """An org file that cannot be made."""

    code = "new_org"


@dataclass(frozen=True)
class Answers:
    """What is asked of a new org.

    Attributes:
        slug: its name in every path.
        start_date: first event_date.
        engagement: the one source of sends, opens and clicks.
        custom: sources of custom events.
        events: workflowId → event name, for a source that asks for it.
        share_table: share.schema.table, for a source that asks for it.
        window_hours: the attribution window.
        templates: what is measured, and by which ids.
    """

    slug: str
    start_date: date
    engagement: str
    custom: tuple[str, ...] = ()
    events: Mapping[str, str] = field(default_factory=dict)
    share_table: str | None = None
    window_hours: int = 24
    templates: tuple[Template, ...] = ()


def document(answers: Answers) -> dict[str, Any]:
    """The org file's content. A drop named as engagement carries the unified stream, else custom events."""
    sources = dict.fromkeys((answers.engagement, *answers.custom))
    return {
        "slug": answers.slug,
        "start_date": answers.start_date,
        "pseudonym_salt": reference_of(answers.slug, "SALT"),
        "engagement": answers.engagement,
        **({"custom": list(answers.custom)} if answers.custom else {}),
        "sources": {source: _section(source, answers) for source in sources},
        "attribution": {"window_hours": answers.window_hours},
        **({"templates": [_entry(one) for one in answers.templates]} if answers.templates else {}),
    }


def template_of(text: str) -> Template:
    """A template from `welcome-email,treatment=501/9001,control=502/9002,key_metric=purchase,control_share=0.2`.

    The id comes first; of the others, only treatment (template id/campaign id) has to be there.

    Raises:
        NewOrgError: it is not written so.
    """
    name, *parts = text.split(",")
    given = dict(part.partition("=")[::2] for part in parts)
    arms = {
        arm: dict(zip(("template_id", "campaign_id"), given[arm].split("/"), strict=False)) for arm in _ARMS & {*given}
    }
    try:
        return Template.model_validate({"id": name if "=" not in name else "", **given, **arms})
    except ValueError:
        raise NewOrgError(
            f"--template {text!r} does not describe a template",
            mend="write welcome-email,treatment=501/9001,control=502/9002,key_metric=purchase,control_share=0.2; "
            "each arm is a template id and a campaign id, and control, key_metric, control_share may be left out",
        ) from None


_ARMS = {"treatment", "control"}


def _entry(template: Template) -> dict[str, Any]:
    return template.model_dump(exclude_defaults=True, mode="json")


def create(folder: Path, answers: Answers) -> Org:
    """Write `<slug>.yaml` into a folder, made when it is not there, and return the org as it loads.

    Raises:
        NewOrgError: there is such a file, or the slug is none.
        OrgFileError: the answers do not make an org; nothing was written.
    """
    if not SLUG.fullmatch(answers.slug):
        raise NewOrgError(
            f"{answers.slug!r} is not a slug",
            mend="use 1 to 63 lower-case letters, digits and hyphens, the first no hyphen",
        )
    file = folder / f"{answers.slug}.yaml"
    text = yaml.safe_dump(document(answers), sort_keys=False, allow_unicode=True)
    with TemporaryDirectory() as scratch:
        trial = Path(scratch) / file.name
        trial.write_text(text, encoding="utf-8")
        try:
            load_org(trial)
        except OrgFileError as error:
            # The scratch file is gone when this is read: name the one that would have been written.
            raise OrgFileError(file, error.problems) from None
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # Exclusive creation: of two who make the same org, one is told.
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise NewOrgError(f"{file} is there already", mend="edit it, or choose another slug") from None
    return load_org(file)


def first_day(landed: Iterable[date], today: date) -> date:
    """The start_date of an org that names none: the first landed day, or the days of sends before today.

    What the collector takes of earlier days waits among the undated until start_date is moved back.
    """
    return min((*landed, today - timedelta(days=LOOKBACK_DAYS)))


def next_steps(org: Org) -> list[str]:
    """The three things to do next, as text for a person."""
    connects = " ".join(f"`justai connect {source} --org {org.slug}`" for source in org.sources.present())
    secrets = ", ".join(dict.fromkeys(_named(references(org).values())))
    return [
        f"Set its secrets ({secrets}), then `justai org check {org.slug}`.",
        f"Send the customer what to do: {connects}.",
        f"When events arrive, `justai doctor --org {org.slug}`; then materialize its days.",
    ]


def _named(found: Iterable[str]) -> list[str]:
    return [reference.removeprefix("env:") for reference in found]


def _section(source: str, answers: Answers) -> dict[str, Any]:
    if source not in SOURCES:
        return {}  # The org file's own check says what there is.
    is_engagement = source == answers.engagement
    return SOURCES[source].section(Asked(answers.slug, is_engagement, answers.events, answers.share_table))
