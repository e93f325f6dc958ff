from __future__ import annotations

import ast
import re
from pathlib import Path

import justai_assets
from justai_assets.contract.reasons import REJECTIONS, UNATTRIBUTED
from justai_assets.contract.tables import TABLES
from justai_assets.serving.request_json import STATUS

PACKAGE = Path(justai_assets.__file__).parent


def test_every_reason_is_a_code_with_a_sentence() -> None:
    for code, text in (REJECTIONS | UNATTRIBUTED).items():
        assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", code)
        assert text[0].isupper(), code
        assert text.endswith("."), code


GIVERS = {"when", "refuse", "_rejection", "DropFileError", "then", "lit"}


def codes_given() -> set[str]:
    """Texts that the readers hand to whatever gives a reason."""
    found: set[str] = set()
    for folder in ("landing", "sources"):
        for path in (PACKAGE / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    if name in GIVERS:
                        texts = [one.value for one in node.args if isinstance(one, ast.Constant)]
                        found |= {one for one in texts if isinstance(one, str) and "_" in one.strip("_")}
                if isinstance(node, ast.Return):
                    texts = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant)]
                    found |= {one for one in texts if one in REJECTIONS}
    return found


def test_every_reason_is_given_somewhere_and_none_is_unknown() -> None:
    # One word: not recognisable as a code by its form.
    columns = {name for table in TABLES.values() for name in table.schema}
    assert (codes_given() - columns) | {"undated"} | STATUS.keys() == REJECTIONS.keys()
