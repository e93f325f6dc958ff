from __future__ import annotations

import ast
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import justai_assets
from justai_assets.contract.errors import JustAIError, StorageError, TransientStorageError


def all_errors(base: type[JustAIError] = JustAIError) -> Iterator[type[JustAIError]]:
    for one in base.__subclasses__():
        yield one
        yield from all_errors(one)


def test_the_mend_follows_the_message() -> None:
    assert str(JustAIError("no such org", mend="name another")) == "no such org (name another)"
    assert str(JustAIError("no such org")) == "no such org"


def test_every_error_of_the_package_has_a_code_of_its_own_in_lower_snake_case() -> None:
    for module in pkgutil.walk_packages(justai_assets.__path__, "justai_assets."):
        if ".dag" not in module.name and not module.name.endswith("definitions"):
            import_module(module.name)
    codes: dict[str, str] = {}
    for error in all_errors():
        if error.__module__.startswith("justai_assets.") and "code" in vars(error):  # others are their parent's kind
            assert error.code.replace("_", "").isalpha(), error
            assert error.code.islower(), error
            assert error.code not in codes, f"{error} shares its code with {codes.get(error.code)}"
            codes[error.code] = error.__name__
    assert {"storage", "storage_transient", "contract", "org_file", "secret", "days"} <= codes.keys()


def test_whatever_raises_the_common_error_itself_gives_it_a_code() -> None:
    without, codes = [], set()
    for path in Path(justai_assets.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "JustAIError":
                continue
            given = {one.arg: one.value for one in node.keywords}.get("code")
            if isinstance(given, ast.Constant) and re.fullmatch(r"[a-z]+(_[a-z]+)*", str(given.value)):
                codes.add(given.value)
            else:
                without.append(f"{path.name}:{node.lineno}")
    assert not without
    assert not codes & {error.code for error in all_errors()}


def test_a_transient_storage_error_is_a_storage_error_that_may_be_repeated() -> None:
    assert issubclass(TransientStorageError, StorageError)
    assert TransientStorageError.transient
    assert not StorageError.transient
