"""The kit of a door: every step, filled in."""

from __future__ import annotations

from typing import Any

import yaml

from justai_assets.connect.customer import Customer
from justai_assets.connect.policies import ConnectError
from justai_assets.connect.step import Step
from justai_assets.orgs.model import with_people
from justai_assets.orgs.secrets import reference_of
from justai_assets.sources.registry import SOURCES
from justai_assets.sources.source import Asked


def kit(door: str, customer: Customer) -> list[Step]:
    """What the customer does to connect a door, in order.

    A webhook door that would refuse every call for want of a key begins with the key. A door that the org file does not
    have yet ends with the lines it needs.

    Raises:
        ConnectError: a door that is none, or an option that does not fit it.
    """
    source = SOURCES.get(door)
    if source is None or source.steps is None:
        known = [name for name, one in SOURCES.items() if one.steps is not None]
        raise ConnectError(f"{door!r} is not a source to connect", mend=f"choose {', '.join(known)}")
    org = customer.org
    steps = source.steps(customer)
    if door in org.closed_sources:
        reference = reference_of(org.slug, "API_KEY")
        said = (
            f"{org.slug}.yaml names no key for this door, so it refuses every call. Under sources.{door}, and then set "
            f"{reference.removeprefix('env:')} where the collector runs:"
        )
        steps.insert(0, Step("We set a key first", said, f"api_key: {reference}", "yaml"))
    if door not in org.sources.present():
        steps.append(_added(door, customer))
    return steps


def _added(name: str, customer: Customer) -> Step:
    """The lines that the org file needs for a source, so that it is not only there but read."""
    org, source = customer.org, SOURCES[name]
    brings = customer.content(name) if source.is_drop else source.contents[0]
    example = Asked(org.slug, brings == "unified_events", {"<workflow id>": "<event name>"}, "share.schema.table")
    sources: dict[str, Any] = {name: source.section(example)}
    lines: dict[str, Any] = {}
    said = []
    if brings == "unified_events":
        lines["engagement"] = name
        said.append(f"engagement: {org.engagement} becomes {name}, which brings the joined stream.")
        if org.custom:
            said.append(f"Remove custom ({', '.join(org.custom)}): those events come with it.")
        if org.runs_on_databricks:
            said.append("Remove engine: nothing is left to attribute.")
        if source.brings_custom_events:
            said.append("To bring custom events alone, give --content custom_events.")
    elif brings == "engagement":
        lines["engagement"] = name
        said.append(f"engagement: {org.engagement} becomes {name}; other sources of engagement events stop then.")
    else:
        if org.is_unified:
            known = with_people()
            people = next((one for one in known if org.sources.of(one) is not None), known[0])
            lines["engagement"] = people
            if org.sources.of(people) is None:
                sources = {people: SOURCES[people].section(Asked(org.slug, is_engagement=True)), **sources}
            said.append(
                f"{org.engagement} brings a joined stream without user keys, to which no custom event can be "
                f"attributed: engagement has to come from {people}."
            )
        lines["custom"] = [*org.custom, name]
    said.append("These lines change or are added; what else is under sources stays:")
    text = yaml.safe_dump({**lines, "sources": sources}, sort_keys=False, width=120)
    return Step(f"We add the source to {org.slug}.yaml", " ".join(said), text, "yaml")
