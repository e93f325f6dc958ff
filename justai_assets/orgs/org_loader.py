"""Reading org files: each file stands alone, and one that is broken never hides another."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from justai_assets.contract.errors import JustAIError
from justai_assets.orgs.org_model import SLUG, Org
from justai_assets.orgs.regular_file import OddFileError, read_small_text
from justai_assets.orgs.secrets import SecretError, references

MAX_ORG_FILE_BYTES = 1 << 20
MAX_PROBLEMS_SHOWN = 20


@dataclass(frozen=True)
class Problem:
    """One mistake in an org file: the key it is at ("" for the whole file) and what to do."""

    key: str
    message: str


class OrgFileError(JustAIError):
    """An org file that cannot be used, with every mistake in it."""

    code = "org_file"

    def __init__(self, file: Path, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        lines = [
            f"{file}: {problem.key or 'file'}: {problem.message}" for problem in self.problems[:MAX_PROBLEMS_SHOWN]
        ]
        if len(self.problems) > MAX_PROBLEMS_SHOWN:
            lines.append(f"{file}: {len(self.problems):,} mistakes in all; the first {MAX_PROBLEMS_SHOWN} are shown")
        super().__init__("\n".join(lines))


@dataclass(frozen=True)
class Orgs:
    """All org files of a folder: the usable ones by slug, and the errors of the others by file stem."""

    by_slug: dict[str, Org]
    broken: dict[str, OrgFileError]

    def get(self, slug: str) -> Org:
        """The org of a slug; a clear error lists what there is."""
        if slug in self.broken:
            raise self.broken[slug]
        if slug not in self.by_slug:
            known = ", ".join(sorted(self.by_slug)) or "none"
            raise JustAIError(
                f"there is no org {slug!r}; known: {known}",
                code="unknown_org",
                mend="see JUSTAI_ORGS_DIR and JUSTAI_ORGS",
            )
        return self.by_slug[slug]


class _Loader(yaml.SafeLoader):
    """YAML that refuses a key given twice, which the standard loader silently overwrites."""


def _mapping_without_repeats(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        try:
            repeated = key in seen
        except TypeError:
            raise yaml.constructor.ConstructorError(
                None, None, "a key must be a single value", key_node.start_mark
            ) from None
        if repeated:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_without_repeats)


def load_org(file: Path, *, check_secrets: bool = False) -> Org:
    """One org file, validated.

    Args:
        file: `<slug>.yaml`.
        check_secrets: also resolve every secret reference (what `justai org check` does). Loading alone does not,
            so that a code location loads without any secret.

    Raises:
        OrgFileError: with every mistake found, each naming file, key and mend.
    """
    data = _read(file)
    problems: list[Problem] = []
    org: Org | None = None
    try:
        org = Org.model_validate(data)
    except ValidationError as error:
        problems += [_problem(item) for item in error.errors(include_input=False, include_url=False)]
    if org is not None:
        if org.slug != file.stem:
            problems.append(Problem("slug", f"{org.slug!r} is not the file's name; rename the file to {org.slug}.yaml"))
        org._file = file
        if check_secrets:
            for key, reference in references(org).items():
                try:
                    org.secret(reference)
                except SecretError as error:
                    problems.append(Problem(key, str(error)))
    if problems or org is None:
        raise OrgFileError(file, problems)
    return org


def load_orgs(folder: Path, *, only: Iterable[str] | None = None, check_secrets: bool = False) -> Orgs:
    """Every `<slug>.yaml` of a folder (or those in `only`), each on its own.

    A folder that does not exist holds no org. A slug in `only` without a file is reported as broken.
    """
    wanted = None if only is None else set(only)
    by_slug: dict[str, Org] = {}
    broken: dict[str, OrgFileError] = {}
    files = sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"}) if folder.is_dir() else []
    for file in files:
        if wanted is not None and file.stem not in wanted:
            continue
        if file.suffix != ".yaml":
            broken[file.stem] = OrgFileError(file, [Problem("", f"is ignored; rename it to {file.stem}.yaml")])
            continue
        try:
            by_slug[file.stem] = load_org(file, check_secrets=check_secrets)
        except OrgFileError as error:
            broken.setdefault(file.stem, error)
    for slug in sorted((wanted or set()) - by_slug.keys() - broken.keys()):
        file = folder / f"{slug}.yaml"
        broken[slug] = OrgFileError(file, [Problem("", "there is no such file; write it, or name another org")])
    for slug in broken.keys() & by_slug.keys():
        del by_slug[slug]
    return Orgs(by_slug, broken)


def _read(file: Path) -> dict[str, Any]:
    if not SLUG.fullmatch(file.stem):
        raise OrgFileError(
            file, [Problem("slug", "the file's name is not a slug; use a-z, 0-9 and hyphens, at most 63")]
        )
    try:
        data = yaml.load(read_small_text(file, MAX_ORG_FILE_BYTES), Loader=_Loader)  # noqa: S506 - a SafeLoader subclass
    except OddFileError as error:
        raise OrgFileError(file, [Problem("", f"{error}; an org file is a text file of a few kilobytes")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise OrgFileError(file, [Problem("", f"cannot be read: {type(error).__name__}")]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        what = getattr(error, "problem", None) or "not YAML"
        raise OrgFileError(file, [Problem("", f"is not valid YAML{where}: {what}")]) from None
    except (ValueError, LookupError, AttributeError, RecursionError) as error:
        # What the YAML reader raises for 2026-13-45, !!int abc or a thousand brackets is no YAMLError.
        what = "is nested too deeply" if isinstance(error, RecursionError) else "holds a value that YAML cannot read"
        mend = "look for a date that is not in the calendar, or put the value in quotes"
        raise OrgFileError(file, [Problem("", f"{what}; {mend}")]) from None
    if not isinstance(data, dict):
        raise OrgFileError(file, [Problem("", "must be a mapping that starts with slug: …")])
    return data


_MENDS = {
    "extra_forbidden": "is not a known key; remove it or mend its spelling",
    "missing": "is missing; add it",
    "tuple_type": "must be a list, for example [one, two]",
    "list_type": "must be a list, for example [one, two]",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "string_type": "must be text; put it in quotes",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "string_too_short": "must not be empty",
    "too_short": "needs at least 1 entry",
}
_CROSS_KEY = re.compile(r"([a-z_]+(?:\.[^\s:]+)*): (.+)", re.DOTALL)
"""A mistake that lies between keys begins with the one to change."""


def _problem(item: Any) -> Problem:
    key = ".".join(str(part) for part in item["loc"] if part != "[key]")
    message = _MENDS.get(item["type"]) or item["msg"].removeprefix("Value error, ")
    message = message.replace("Input should be", "must be", 1)
    if "window" in key and item["type"] in _NOT_A_WINDOW:
        message = "a window is a whole number of hours from 1 to 72"
    if not key and (found := _CROSS_KEY.fullmatch(message)):
        key, message = found.groups()
    return Problem(key or "org", message)


_NOT_A_WINDOW = {"less_than_equal", "greater_than_equal", "int_type", "int_parsing", "int_from_float"}
