"""What a request's head says about its body and its parameters."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

# What a single plain `name=value` never holds; it needs no parser.
_ENCODED: Final = re.compile(rb"[^!-~]|[%+&;]|^[^=]*$")


@lru_cache(maxsize=256)
def is_json(content_type: bytes | None) -> bool:
    """Whether a content type is JSON in UTF-8; a request without one is taken at its body's word."""
    if content_type is None:
        return True
    kind, _, parameters = content_type.lower().partition(b";")
    kind = kind.strip()
    if kind != b"application/json" and not (kind.startswith(b"application/") and kind.endswith(b"+json")):
        return False
    for parameter in parameters.split(b";"):
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"charset" and value.strip(b' "\t') not in {b"utf-8", b"utf8", b"us-ascii"}:
            return False
    return True


def query_parameters(text: bytes) -> dict[str, str]:
    """The parameters of a query string; the second `a` is called `a[1]`, so that none is lost."""
    if not text:
        return {}
    if not _ENCODED.search(text):
        name, _, value = text.decode("ascii").partition("=")
        return {name: value}
    found: dict[str, str] = {}
    repeats: dict[str, int] = {}
    for name, value in parse_qsl(text.decode("latin-1"), keep_blank_values=True, errors="replace"):
        key = name
        if key in found:
            # Counted on, not from the start: thousands of one name fit into a query string.
            repeat = repeats.get(name, 0)
            while key in found:
                repeat += 1
                key = f"{name}[{repeat}]"
            repeats[name] = repeat
        found[key] = value
    return found
