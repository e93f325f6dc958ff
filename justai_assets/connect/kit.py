"""The kit of a source: the Markdown page that tells a customer how to connect it, filled in."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml

from justai_assets.connect.customer import ConnectError, Customer
from justai_assets.orgs.org_model import with_people
from justai_assets.orgs.secrets import reference_of
from justai_assets.sources.registry import SOURCES
from justai_assets.sources.source import Asked, CredentialRefs, Source

FENCE = "```"


def kit(name: str, customer: Customer) -> str:
    """The page for a source: its connect text, filled in, with its steps (the `## ` headings) numbered.

    The page of a webhook that would refuse every call begins with setting its key. The page of a source that the org
    file does not have ends with the lines that the file needs.

    Raises:
        ConnectError: there is nothing to connect by this name, or an option does not fit the source.
    """
    source = SOURCES.get(name)
    if source is None or source.connect is None:
        known = [one.name for one in SOURCES.values() if one.connect is not None]
        raise ConnectError(f"{name!r} is not a source to connect", mend=f"choose {', '.join(known)}")
    org, connect = customer.org, source.connect
    settings = org.sources.of(name)
    credentials = settings.credentials if settings else CredentialRefs()
    new_key = reference_of(org.slug, "API_KEY")
    values: dict[str, Any] = {"customer": customer, "org": org, "source": source, "settings": settings}
    values |= {"credentials": credentials, "api_keys": credentials.api_keys or (new_key,)}
    if source.http is not None:
        values["webhook_url"] = customer.url(source.http.path)
    steps = _filled(connect.package, connect.template, {**values, **connect.values(customer)})
    added = None if name in org.sources.present() else _added(source, customer)
    page = {"steps": steps, "is_closed": name in org.closed_sources, "new_key": new_key, "added": added}
    return _numbered(_filled(__package__, "kit.md.j2", {**values, **page}))


def _filled(package: str, template: str, values: dict[str, Any]) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(  # noqa: S701 - the page is Markdown, which no browser reads as it is
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = files(package).joinpath(template).read_text(encoding="utf-8")
    return environment.from_string(text).render(values)


def _numbered(page: str) -> str:
    """The page with a number before the title of each step. What stands in a fence is text to paste: it stays."""
    lines, steps, is_code = [], 0, False
    for line in page.split("\n"):
        is_code ^= line.startswith(FENCE)
        if line.startswith("## ") and not is_code:
            steps += 1
            line = f"## {steps}. {line.removeprefix('## ')}"
        lines.append(line)
    return "\n".join(lines).rstrip("\n") + "\n"


def _added(source: Source, customer: Customer) -> dict[str, Any]:
    """What the org file needs so that it has the source and reads it.

    Returns:
        content: what the source will bring.
        people: the source that engagement then comes from, if the org's own names no people; else None.
        lines: YAML to merge into the org file.
    """
    org, people = customer.org, None
    brings = customer.content(source.name) if source.is_drop else source.contents[0]
    example = Asked(org.slug, brings == "unified_events", {"<workflow id>": "<event name>"}, "share.schema.table")
    sources: dict[str, Any] = {source.name: source.section(example)}
    lines: dict[str, Any] = {}
    if brings in {"unified_events", "engagement"}:
        lines["engagement"] = source.name
    else:
        if org.is_unified:
            known = with_people()
            people = next((one for one in known if org.sources.of(one) is not None), known[0])
            lines["engagement"] = people
            if org.sources.of(people) is None:
                sources = {people: SOURCES[people].section(Asked(org.slug, is_engagement=True)), **sources}
        lines["custom"] = [*org.custom, source.name]
    text = yaml.safe_dump({**lines, "sources": sources}, sort_keys=False, width=120)
    return {"content": brings, "people": people, "lines": text.rstrip()}
