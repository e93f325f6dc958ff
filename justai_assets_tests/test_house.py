"""House rules that a machine can keep: import arrows, file sizes, names that exist, words that have no place here."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from justai_assets.cli import app

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "justai_assets"
TESTS = ROOT / "justai_assets_tests"

LAYERS = {
    "contract": 0, "scratch": 1, "storage": 1, "orgs": 1, "settings": 2, "landing": 2, "lake": 2,
    "sources": 3, "attribution": 3, "events": 3, "metrics": 3, "quality": 3, "collector": 3, "connect": 3,
    "show": 4, "status": 4, "testing": 1, "demo": 4, "bench": 4, "dag": 5, "commands": 6, "definitions": 6, "cli": 7,
}  # fmt: skip
"""What may import what: only downwards, or within the same folder or the same layer."""

WITHOUT_MIRROR = {"attack", "e2e", "parity", "bench"}
"""Test folders that are about no one module."""

MAX_LINES = {PACKAGE: 300, TESTS: 300}

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md"]


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, imported module) of a file, imports inside functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def area(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def test_every_module_of_the_package_has_a_place_in_the_order() -> None:
    assert {area(path) for path in modules()} - {"__init__"} <= LAYERS.keys()


def test_imports_go_one_way() -> None:
    wrong = []
    for path in modules():
        if area(path) == "__init__":
            continue
        for line, name in imports(path):
            parts = name.split(".")
            if parts[0] == "justai_assets" and len(parts) > 1 and LAYERS[parts[1]] > LAYERS[area(path)]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong


def test_dagster_is_imported_under_dag_and_in_definitions_only() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules()
        if area(path) not in {"dag", "definitions"}
        for line, name in imports(path)
        # The far end of Pipes runs where Dagster is not, on a cluster; its package is the protocol alone.
        if re.match(r"dagster(\b|_)", name) and (path.parent, name) != (PACKAGE / "attribution/spark", "dagster_pipes")
    ]
    assert not wrong


def test_nothing_of_the_package_imports_its_tests() -> None:
    assert not [path for path in modules() for _, name in imports(path) if name.startswith("justai_assets_tests")]


def test_no_module_is_called_after_a_drawer() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert not [
        path for path in modules() if drawers & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    ]


@pytest.mark.parametrize("folder", [PACKAGE, TESTS], ids=lambda folder: folder.name)
def test_no_file_is_too_long(folder: Path) -> None:
    lengths = {path.relative_to(ROOT): path.read_text(encoding="utf-8").count("\n") for path in folder.rglob("*.py")}
    assert not {path: lines for path, lines in lengths.items() if lines > MAX_LINES[folder]}


def test_every_silenced_rule_has_its_reason() -> None:
    """Written `noqa: CODE - why`, and `type: ignore[code]  # why`."""
    silenced = re.compile(r"# (?:noqa(?!: [A-Z0-9, ]+ - \w)|type: ignore(?!\[[a-z, -]+\]  # \w))")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in (*modules(), *TESTS.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if silenced.search(line)
    ]
    assert found == []


def test_every_test_file_mirrors_a_module() -> None:
    orphans = []
    for path in sorted(TESTS.rglob("test_*.py")):
        relative = path.relative_to(TESTS)
        if relative.parts[0] in WITHOUT_MIRROR or relative.name == "test_house.py":
            continue
        twin = PACKAGE / relative.parent / relative.name.removeprefix("test_")
        # A subject may need several files (test_cli.py, test_lazy_imports.py): they lie in the folder of their area.
        if not twin.exists() and not twin.with_suffix("").is_dir() and not (PACKAGE / relative.parent).is_dir():
            orphans.append(str(relative))
    assert not orphans


def test_every_folder_of_modules_has_tests() -> None:
    folders = {path.parent.relative_to(PACKAGE) for path in modules() if path.name != "__init__.py"}
    tested = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py"))
    untested = [
        str(folder)
        for folder in folders
        if not list((TESTS / folder).glob("test_*.py")) and ".".join((PACKAGE.name, *folder.parts)) not in tested
    ]
    assert not untested


@cache
def tracked() -> tuple[Path, ...]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git working tree")
    names = listed.stdout.decode().split("\0")
    return tuple(path for name in names if name and (path := ROOT / name).is_file())


# Put together from halves, or this file would break its own rule.
FORBIDDEN = re.compile("|".join(["/wo" + "rk/", "/tmp/w" + "t/", "/ro" + "ot/", "artifact" + "ory", "nex" + "us\\."]))


def test_no_tracked_file_names_a_machine_path_or_a_registry() -> None:
    wrong = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        wrong += [f"{path.relative_to(ROOT)}: {found.group()}" for found in FORBIDDEN.finditer(text)]
    assert not wrong


def test_locks_hold_no_registry_address() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text, path
        assert "--index-url" not in text, path
        assert "--hash=sha256:" in text, path


def test_no_log_or_build_product_is_tracked() -> None:
    products = re.compile(r"\.(log|pyc|duckdb|sqlite|db|egg-info)$|(^|/)(target|dist|logs|__pycache__|\.justai)/")
    assert not [str(path.relative_to(ROOT)) for path in tracked() if products.search(str(path.relative_to(ROOT)))]


def code_of(text: str) -> str:
    """What a document shows as code: fenced and indented blocks, and inline code."""
    fenced = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
    return "\n".join([*fenced, *re.findall(r"`([^`\n]+)`", text), *re.findall(r"^ {4}(.+)$", text, re.MULTILINE)])


def commands_of(text: str) -> set[tuple[str, ...]]:
    """The `justai …` commands of a document, as words."""
    found = set()
    for line in re.findall(r"(?:^|[\s(;&|/])justai ([^\n#|&;]*)", code_of(text), re.MULTILINE):
        try:
            found.add(tuple(shlex.split(line.split("…")[0].split("...")[0])))
        except ValueError:
            found.add(tuple(line.split()))
    return {words for words in found if words}


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.exists()], ids=lambda path: path.name)
def test_every_command_that_a_document_names_exists_with_its_options(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = []
    for words in commands_of(path.read_text(encoding="utf-8")):
        within, depth = app, 0
        while depth < len(words) and re.fullmatch(r"[a-z-]+", words[depth]) and words[depth] in within:
            within = within[words[depth]]
            depth += 1
        if depth == 0 and not words[0].startswith("-"):
            unknown.append(" ".join(words))
            continue
        within.help_print([])
        shown = capsys.readouterr().out
        options = [word.partition("=")[0].rstrip("],)") for word in words if word.startswith("--")]
        unknown += [f"{' '.join(words)}: {option}" for option in options if option not in shown and option != "--help"]
    assert not unknown


PATH = re.compile(
    r"(?<![\w/.{<:*-])((?:justai_assets|justai_assets_tests|docs|requirements|dbt_project|\.ci)/[\w./-]*\w)"
)


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.exists()], ids=lambda path: path.name)
def test_every_path_that_a_document_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = {found.rstrip(".") for found in PATH.findall(text)}
    named |= {one for one in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)}
    named = {one for one in named if "/target/" not in one}  # made, not kept
    missing = [name for name in named if not (ROOT / name).exists() and not (path.parent / name).exists()]
    assert not missing
