"""What stands where an id should and names nobody: `null`, `undefined`, `0`, `n/a`, a merge tag, `noemail@…`.

Senders write such a text for everybody whose id they do not know. Taken for an id, it would make all of them one
person.
This is the one definition: the sources, `justai attribute` and the SQL twin all read it from here.

It is complete about what no system uses as an id, and careful with addresses: a local part that may be a real mailbox
(`nobody@`, `test@`) is a placeholder only at a domain that has no mailboxes.
"""

from __future__ import annotations

import re
from itertools import product
from string import punctuation
from typing import Final

import polars as pl

CONTROLS: Final = tuple(range(0x09, 0x0E))
WHITE_SPACE: Final = "".join(map(chr, (*CONTROLS, 0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)))
"""Without the line ends beyond ASCII, at which editors and shells would cut a script that names them."""
INVISIBLE: Final = "".join(map(chr, (0xAD, 0x180E, *range(0x200B, 0x2010), *range(0x2060, 0x2065), 0xFEFF)))
"""Soft hyphen, zero-width spaces and joiners, direction marks, byte order mark: copied along, and never seen."""
SPACES: Final = WHITE_SPACE + INVISIBLE
"""What is trimmed from an id's ends."""
MARKS: Final = punctuation
"""ASCII punctuation: a text of nothing else is no id, and `(null)` is `null`."""


def _spelled(*phrases: str) -> frozenset[str]:
    """Phrases of several words, with the ways to write the spaces between them."""
    return frozenset(phrase.replace(" ", gap) for phrase, gap in product(phrases, (" ", "_", "-", "")))


WORDS: Final = frozenset(
    {"null", "nil", "none", "nan", "undefined", "undef", "n/a", "n.a", "n / a", "na", "unknown", "anonymous", "guest",
     "nobody", "missing", "empty", "blank", "invalid", "placeholder", "dummy", "true", "false", "0x0", "xxx",
     "xxxx", "anon", "visitor", "unidentified", "deleted", "id", "uid", "email", "inf", "infinity"}
    | _spelled("not set", "not available", "not provided", "not applicable", "not given", "not found", "not defined",
               "no user", "no id", "no uid", "no email", "no mail", "no value", "no data", "no one", "user id",
               "no user id", "customer id", "external id", "distinct id", "anonymous id", "anonymous user",
               "not authenticated", "not logged in", "logged out", "user not found", "object object",
               "null null", "none none", "undefined undefined")
    # The greatest UUID, and what a warehouse makes of an empty text: its MD5, SHA-1 and SHA-256.
    | {"ffffffff-ffff-ffff-ffff-ffffffffffff", "d41d8cd98f00b204e9800998ecf8427e",
       "da39a3ee5e6b4b0d3255bfef95601890afd80709", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
)  # fmt: skip
"""In lower case, without punctuation and spaces around them. Zeros alone, with any punctuation, are no id either."""
EXACT: Final = ("-1", "-1.0", "\\n", "#ref!", "#value!", "#name?", "#div/0!")
"""In lower case, as they stand: what is left of them without punctuation may be an id."""
TAGS: Final = ("{{", "${", "{%", "%%", "*|", "<%")
"""How a merge tag begins that nobody filled in."""

NO_MAILBOX: Final = frozenset(
    {"null", "none", "undefined", "nan"}
    | {f"no{gap}{mail}" for gap in ("", "-", "_", ".") for mail in ("email", "mail", "reply")}
    | {f"do{gap}not{gap}reply" for gap in ("", "-", "_", ".")}
    | {f"not{gap}{what}" for gap in ("", "-", "_", ".") for what in ("provided", "available", "set")}
)
"""Local parts that are no person's mailbox at any domain."""
MAYBE_MAILBOX: Final = frozenset(
    {"nobody", "noone", "unknown", "anonymous", "guest", "na", "n/a", "fake", "dummy", "invalid", "missing", "empty",
     "blank", "placeholder"}
)  # fmt: skip
"""Local parts that are a placeholder at a domain of NO_MAILBOXES. Somebody may have that name at another."""
NO_MAILBOXES: Final = frozenset(
    {"example.com", "example.org", "example.net", "example", "test", "invalid", "localhost", "none", "null", "none.com",
     "null.com", "undefined", "unknown", "email.invalid", "noemail.com", "nomail.com", "no-email.com", "na"}
)  # fmt: skip
OWN_DOMAIN: Final = frozenset(
    f"{name}@{name}{ending}"
    for name in ("test", "email", "no", "na", "x", "xxx", "fake", "dummy", "unknown")
    for ending in ("", ".com", ".net", ".org", ".test")
)
"""What is typed to get past a form: `test@test.com`."""


def _any(texts: frozenset[str] | tuple[str, ...]) -> str:
    return "|".join(map(re.escape, sorted(texts)))


_AROUND: Final = f"[{re.escape(SPACES + MARKS)}]*"
_ID: Final = (
    f"^(?is:{_AROUND}(?:[0{re.escape(SPACES + MARKS)}]*|{_any(WORDS)}){_AROUND})$"
    f"|^(?i:{_any(EXACT)})$|^(?:{_any(TAGS)})"
)  # fmt: skip
_ADDRESS: Final = (
    f"^(?is:(?:{_any(NO_MAILBOX)})@.*|(?:{_any(MAYBE_MAILBOX)})@(?:{_any(NO_MAILBOXES)})|{_any(OWN_DOMAIN)})$"
)


PATTERN: Final = f"{_ID}|{_ADDRESS}"
"""What a trimmed id or address that names nobody matches: a regular expression of Rust's."""


def trimmed(text: pl.Expr) -> pl.Expr:
    """Without white space and invisible characters at its ends."""
    return text.str.strip_chars(SPACES)


def is_placeholder(identifier: pl.Expr) -> pl.Expr:
    """Whether a trimmed id or address names nobody; blank does not either. Null stays null."""
    return identifier.str.contains(PATTERN)
