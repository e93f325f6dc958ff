"""House rules that a machine can keep: import arrows, file sizes, names that exist, words that have no place here."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from justai_assets.cli import app

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "justai_assets"
TESTS = ROOT / "justai_assets_tests"
BENCHMARKS = ROOT / "benchmarks"

LAYERS = {
    "attempts": 0, "contract": 0, "scratch": 1, "storage": 1, "orgs": 1, "settings": 2, "landing": 2, "lake": 2,
    "testing": 1, "sources": 3, "attribution": 4, "events": 5, "experiments": 6, "reporting": 7, "quality": 7, "serving": 7,
    "connect": 7, "demo": 8, "dag": 9, "commands": 10, "definitions": 10, "cli": 11,
}  # fmt: skip
"""What may import what: only downwards, or within the same folder or the same layer."""

MAX_LINES = {PACKAGE: 300, TESTS: 300, BENCHMARKS: 300}

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


REGISTRY = re.compile(r"justai_assets\.sources\.(source|registry|lineage|[a-z_]+\.spec)")
"""What says which sources and tables there are: below all that loops over it, and beside the org model."""


def layer(module: str) -> int:
    """The layer of a module, by its dotted name."""
    if re.fullmatch(r"justai_assets\.sources\.[a-z_]+\.(connect|policies)", module):
        return LAYERS["connect"]
    return LAYERS["orgs"] if REGISTRY.fullmatch(module) else LAYERS[module.split(".")[1]]


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


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
        own = dotted(path)
        for line, name in imports(path):
            if not name.startswith("justai_assets."):
                continue
            # A source's spec imports its own parser and connect text, when they are asked for.
            is_own_package = own.endswith(".spec") and name.startswith(own.removesuffix(".spec"))
            is_for_types = own.endswith((".spec", ".source")) and name.startswith("justai_assets.connect.")
            if layer(name) > layer(own) and not is_own_package and not is_for_types:
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


def test_the_package_reaches_its_benchmarks_by_their_command_alone() -> None:
    named = {path for path in modules() for _, name in imports(path) if name.split(".")[0] == "benchmarks"}
    assert named == {PACKAGE / "commands" / "bench_command.py"}
    at_import = [
        name
        for node in ast.parse((PACKAGE / "commands" / "bench_command.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    ]
    assert not [name for name in at_import if name and name.startswith("benchmarks")]


def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"justai_assets"}
    code = {name for name in names if name.endswith(".py")}
    assert code == {str(path.relative_to(ROOT)) for path in modules()}


@pytest.mark.parametrize("folder", [PACKAGE, TESTS, BENCHMARKS], ids=lambda folder: folder.name)
def test_no_file_is_too_long(folder: Path) -> None:
    lengths = {path.relative_to(ROOT): path.read_text(encoding="utf-8").count("\n") for path in folder.rglob("*.py")}
    assert not {path: lines for path, lines in lengths.items() if lines > MAX_LINES[folder]}


def test_every_silenced_rule_and_every_skip_has_its_reason() -> None:
    """Written `noqa: CODE - why`, `type: ignore[code]  # why`, `pragma: no cover - why`, and as the skip's own text."""
    silenced = re.compile(
        r"# (?:noqa(?!: [A-Z0-9, ]+ - \w)|type: ignore(?!\[[a-z, -]+\]  # \w)|pragma: no cover(?! - \w))"
        r"|\b(?:skip|xfail)\((?!f?\"\w|reason=f?\"\w)|mark\.(?:skip|xfail)\b(?!\()|\bskipif\((?!.*reason=f?\"\w)"
        r"|\bimportorskip\((?!.*reason=)"
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in (*modules(), *TESTS.rglob("*.py"), *BENCHMARKS.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if silenced.search(line)
    ]
    assert found == []


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
    r"(?<![\w/.{<:*-])((?:justai_assets|justai_assets_tests|benchmarks|docs|requirements|dbt_project|\.ci)/[\w./-]*\w)"
)


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.exists()], ids=lambda path: path.name)
def test_every_path_that_a_document_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = {found.rstrip(".") for found in PATH.findall(text)}
    named |= {one for one in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)}
    named = {one for one in named if "/target/" not in one}  # made, not kept
    missing = [name for name in named if not (ROOT / name).exists() and not (path.parent / name).exists()]
    assert not missing
