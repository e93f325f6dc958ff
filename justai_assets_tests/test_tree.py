"""The tree of files: one name a module, and a test module for each."""

from justai_assets_tests.test_house import BENCHMARKS, PACKAGE, ROOT, TESTS, modules
from justai_assets_tests.tested_elsewhere import TESTED_BY

WITHOUT_MIRROR = {"attack", "e2e", "parity"}
"""Test folders that are about no one module."""


def test_no_module_is_called_after_a_drawer() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert not [
        path for path in modules() if drawers & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    ]


def test_every_test_file_mirrors_a_module() -> None:
    orphans = []
    for path in sorted(TESTS.rglob("test_*.py")):
        relative = path.relative_to(TESTS)
        if relative.parts[0] in WITHOUT_MIRROR or relative.name == "test_house.py":
            continue
        above = ROOT if relative.parts[0] == BENCHMARKS.name else PACKAGE
        twin = above / relative.parent / relative.name.removeprefix("test_")
        # A subject may need several files (test_cli.py, test_lazy_imports.py): they lie in the folder of their area.
        if not twin.exists() and not twin.with_suffix("").is_dir() and not (above / relative.parent).is_dir():
            orphans.append(str(relative))
    assert not orphans


def test_every_module_has_a_test_module_of_its_name_or_is_listed_with_the_one_that_runs_it() -> None:
    listed = {name: by for by, names in TESTED_BY.items() for name in names}
    assert not [by for by in TESTED_BY if not (TESTS / by).is_file()]
    without, needless = [], []
    for path in modules():
        relative = path.relative_to(PACKAGE)
        if path.stem in {"__init__", "__main__"}:
            continue
        folder = TESTS / relative.parent
        has_one = any(
            one.stem == f"test_{path.stem}" or one.stem.startswith(f"test_{path.stem}_")
            for one in folder.glob(f"test_{path.stem}*.py")
        )
        if not has_one and str(relative) not in listed:
            without.append(str(relative))
        if has_one and str(relative) in listed:
            needless.append(str(relative))
    assert not without
    assert not needless
    assert not [name for name in listed if not (PACKAGE / name).is_file()]


def test_no_two_modules_have_one_name_but_those_that_every_source_package_has() -> None:
    by_name: dict[str, list[str]] = {}
    for path in modules():
        if path.stem not in {"__init__", "__main__", "spec", "parse", "connect"}:
            by_name.setdefault(path.stem, []).append(str(path.relative_to(PACKAGE)))
    assert not {name: paths for name, paths in by_name.items() if len(paths) > 1}


def test_every_folder_of_modules_has_tests() -> None:
    folders = {path.parent.relative_to(PACKAGE) for path in modules() if path.name != "__init__.py"}
    tested = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py"))
    untested = [
        str(folder)
        for folder in folders
        if not list((TESTS / folder).glob("test_*.py")) and ".".join((PACKAGE.name, *folder.parts)) not in tested
    ]
    assert not untested
