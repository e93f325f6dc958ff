"""Names that senders chose, fit to be shown: of columns, folders and files. Logs, metadata and errors show no others.

A headerless export makes the first row's values the names of the columns, an address or a user id among them; senders
put addresses into file names too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

PERSONAL: Final = (
    r"@|%40"  # an email, plain or in a URL
    r"|(^|[^0-9.])([0-9]{1,3}\.){3}[0-9]{1,3}($|[^0-9.])"  # IPv4
    # IPv6, whole or shortened; a name like Account::Created is none
    r"|(^|[^0-9A-Za-z:])(([0-9A-Fa-f]{1,4}:){3,7}[0-9A-Fa-f]{1,4}|([0-9A-Fa-f]{1,4}:){1,6}(:[0-9A-Fa-f]{1,4}){1,6}"
    r"|:(:[0-9A-Fa-f]{1,4}){1,7})($|[^0-9A-Za-z:])"
    r"|(^|[\x1f\s:;=/])\+[0-9][0-9 ().-]{6,}"  # a phone number with its +
)
"""What holds personal data by its form alone."""

_PERSONAL_COLUMN: Final = re.compile(
    r"e_?mail|phone|mobile|msisdn|address|(first|last|full|sur|middle)_?name|birth|gender|(^|_)ip(_|$)|user_?agent"
    r"|(user|customer|profile|contact|person|subscriber)_?id|post_?code|postal|zip|(^|_)city(_|$)|latitude|longitude"
)

_WORD: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_PLAIN: Final = re.compile(rf"(?=.{{1,64}}$)(?!.*[0-9]{{5}}){_WORD}([ .-]{_WORD}){{0,3}}")
_VALUE: Final = re.compile(rf"\s*[0-9+-]|{PERSONAL}")


def is_personal_column(name: str) -> bool:
    """Whether a column's name says that it holds personal data or a person's id; any case and spelling."""
    return _PERSONAL_COLUMN.search(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s-]", "_", name).lower()) is not None


def safe_key(key: str) -> str:
    """A landing key as it may be shown: of one that holds personal data, what lies below its day is a digest.

    Folders that a sender makes below `event_date=…/` are the sender's words as much as the file's name is.
    """
    if re.search(PERSONAL, key) is None:
        return key
    parts = key.split("/")
    days = [index for index, part in enumerate(parts) if part.startswith("event_date=")]
    ours = parts[: days[0] + 1] if days and re.search(PERSONAL, "/".join(parts[: days[0] + 1])) is None else []
    rest = "/".join(parts[len(ours) :])
    return "/".join([*ours, f"sha256-{hashlib.sha256(rest.encode()).hexdigest()[:16]}"])


def safe_columns(columns: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    """Columns of one file as they may be shown, sorted.

    Args:
        columns: position in the file, from 1, and name.

    A name that is no plain identifier is shown by its position. Where one of them looks like a value (it begins with a
    digit or a sign, or is an address), the first row stands for the names: then no name of the file is shown.

    >>> safe_columns([(3, "Loaded at"), (7, "x")])
    ('Loaded at', 'x')
    >>> safe_columns([(1, "2026-01-05 10:00:00"), (2, "Jane")])
    ('column 1 (name withheld)', 'column 2 (name withheld)')
    """
    found = list(columns)
    is_headerless = any(_VALUE.match(name) or re.search(PERSONAL, name) for _, name in found)
    shown = [
        name if not is_headerless and _PLAIN.fullmatch(name) else f"column {position} (name withheld)"
        for position, name in found
    ]
    return tuple(sorted(shown))
