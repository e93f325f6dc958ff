"""The sources of one org: the section `sources` of its file. Each section's keys are in the source's `spec.py`."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, create_model

from justai_assets.orgs.secrets import StrictModel
from justai_assets.sources.registry import SOURCES
from justai_assets.sources.source import Content, Source, SourceSettings

S = TypeVar("S", bound=SourceSettings)


class Sources(StrictModel):
    """The sources that an org has: a field for each source of the registry, None where the org does not have it."""

    def present(self) -> tuple[str, ...]:
        """Names of the sources that are configured, in the registry's order."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)

    def of(self, name: str) -> SourceSettings | None:
        """What the org file says of a source; None where it says nothing."""
        found: SourceSettings | None = getattr(self, name, None)
        return found

    def settings(self, source: Source, kind: type[S]) -> S | None:
        """What the org file says of a source, as the class that the source's package has for it."""
        found = self.of(source.name)
        return found if isinstance(found, kind) else None

    def content(self, name: str) -> Content:
        """What a source brings: `engagement`, `custom_events`, `unified_events` or `served_copies`."""
        return SOURCES[name].content(self.of(name))


@cache
def _with_fields(settings: tuple[tuple[str, type[SourceSettings]], ...]) -> type[Sources]:
    fields: dict[str, Any] = {name: (kind | None, None) for name, kind in settings}
    return create_model("Sources", __base__=Sources, **fields)


def _read(value: Any) -> Any:
    if isinstance(value, Sources):
        return value
    if isinstance(value, dict):
        # `iterable_webhooks:` with nothing behind it is how YAML spells an empty mapping.
        value = {key: {} if inner is None else inner for key, inner in value.items()}
    known = tuple((name, one.settings) for name, one in SOURCES.items() if one.settings is not None)
    # Made when an org file is read, not when this module is: the registry may have grown since.
    return _with_fields(known).model_validate(value)


def _one_source(value: Any) -> Any:
    if isinstance(value, list):
        raise ValueError(  # noqa: TRY004 - the one exception pydantic reports with its key
            "engagement events come from ONE source, because the same send can arrive through two; name one"
        )
    return value


def _engagement(name: str) -> str:
    able = [one.name for one in SOURCES.values() if one.brings_engagement]
    if name not in able:
        raise ValueError(f"must be {_either(able)}")
    return name


def _custom(name: str) -> str:
    able = [one.name for one in SOURCES.values() if one.brings_custom_events]
    if name in able:
        return name
    if name not in SOURCES or SOURCES[name].settings is None:
        raise ValueError(f"must be {_either(able)}")
    is_unified = "unified_events" in SOURCES[name].contents
    holds = "a unified stream, with its custom events in it" if is_unified else "engagement events"
    raise ValueError(
        f"{name} carries {holds}; remove it from custom, and name it under engagement if it is to be "
        f"read; custom takes {', '.join(able)}"
    )


def _either(names: list[str]) -> str:
    return f"{', '.join(map(repr, names[:-1]))} or {names[-1]!r}"


OrgSources = Annotated[Sources, BeforeValidator(_read)]
EngagementSource = Annotated[str, AfterValidator(_engagement), BeforeValidator(_one_source)]
CustomSource = Annotated[str, AfterValidator(_custom)]
CustomSources = Annotated[
    tuple[CustomSource, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]
