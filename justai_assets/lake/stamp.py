"""By what a day was made: the code, the org's rule and the salt, in the name of each file and in each commit.

A name costs nothing to read and stays as long as the file does. The log's own history is removed after checkpoints.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    COPY_DAILY,
    CUSTOM_EVENTS,
    DELTA_SHARE,
    ESP_EVENTS,
    MESSAGE_OUTCOMES,
    SERVED_COPIES,
    TABLES,
    UNIFIED_EVENTS,
    Table,
)
from justai_assets.orgs.extra_columns import of_org
from justai_assets.orgs.org_model import Org

NO_SALT: Final = "none"
"""The rows hold no pseudonym, or nobody knows by which salt those were made that they were read from."""

MIXED: Final = "mixed"
"""The rows hold pseudonyms of several salts."""

_NAMED = re.compile(r"-(v\d+-r[0-9a-z]+-s[0-9a-z]+)-[0-9a-f]{8}\.parquet$")


@dataclass(frozen=True)
class Stamp:
    """By what the rows of a day were made.

    Attributes:
        code: `Table.code_version` of the code that made them.
        rule: hash of what the org file says about them.
        salt: fingerprint of the salt of their pseudonyms; NO_SALT or MIXED.
    """

    code: int
    rule: str
    salt: str

    def __str__(self) -> str:
        """As it stands in a file's name."""
        return f"v{self.code}-r{self.rule}-s{self.salt}"

    @classmethod
    def of_file(cls, path: str) -> Stamp | None:
        """The stamp in a file's name; None where there is none: an older package or another engine wrote it."""
        found = _NAMED.search(path, max(path.rfind("-v"), 0))
        return None if found is None else _parsed(found[1])

    @property
    def note(self) -> dict[str, str]:
        """As it stands in a commit's metadata."""
        return {"code_version": str(self.code), "rule": self.rule, "salt": self.salt}

    def differs(self, wanted: Stamp) -> tuple[str, ...]:
        """What differs from another stamp: code, rule, salt. A salt that is not known differs from none."""
        is_salt = NO_SALT not in (self.salt, wanted.salt) and self.salt != wanted.salt
        found = (("code", self.code != wanted.code), ("rule", self.rule != wanted.rule), ("salt", is_salt))
        return tuple(name for name, is_other in found if is_other)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Stamp:
    """A stamp as it stands in a name. The days of a table have a few in all, and one object each."""
    code, rule, salt = text.split("-")
    return Stamp(int(code[1:]), rule[1:], salt[1:])


OPEN: Final = Stamp(0, "open", NO_SALT)
"""The ledger's entry of a day while an engine that commits the rows itself is at it."""


def stamp_of(org: Org, table: Table, salt: str | None = None) -> Stamp:
    """By what the rows of a table would be made now.

    Args:
        org: the org.
        table: the table.
        salt: fingerprint of the salt behind the pseudonyms; the org's own when None. Rows that take their pseudonyms
            from other tables have those tables'.
    """
    if not has_pseudonyms(org, table):
        return Stamp(table.code_version, rule_hash(org, table), NO_SALT)
    return Stamp(table.code_version, rule_hash(org, table), fingerprint(org) if salt is None else salt)


def has_pseudonyms(org: Org, table: Table) -> bool:
    """Whether a table of an org holds pseudonyms: an org that joins its events itself sends no ids of persons."""
    pseudonymous = (ESP_EVENTS, CUSTOM_EVENTS, ATTRIBUTED_EVENTS, MESSAGE_OUTCOMES)
    return TABLES[table.name] in pseudonymous and not org.is_unified


def fingerprint(org: Org) -> str:
    """What tells an org's salt from another one; the salt cannot be had from it.

    Raises:
        SecretError: the salt cannot be had.
    """
    salt = org.secret(org.pseudonym_salt).get_secret_value().encode()
    return hashlib.blake2b(b"fingerprint", key=hashlib.sha256(salt).digest(), digest_size=4).hexdigest()


def rule_hash(org: Org, table: Table) -> str:
    """A hash of what the org file says that the rows of a table depend on; what they are read from is included."""
    # By its name: with the columns that an org declares a table is another object.
    text = json.dumps(_said(org, TABLES[table.name]), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _said(org: Org, table: Table) -> list[Any]:
    extra = of_org(org)
    sources: list[Any] = [org.engagement, sorted(org.custom), *([extra] if extra else [])]
    for one in org.sources.present():
        settings = org.sources.of(one)
        if settings is not None and one in (org.engagement, *org.custom):
            sources += settings.rule
    if table is SERVED_COPIES:
        return []
    if table is ESP_EVENTS:
        return [org.engagement]
    if table is CUSTOM_EVENTS:
        return sources[1:]
    is_stream = table is DELTA_SHARE or (table is UNIFIED_EVENTS and org.is_unified)
    said: list[Any] = [sources] if is_stream else [sources, org.attribution.model_dump()]
    if table is COPY_DAILY:
        arms = [one.model_dump(include={"id", "key_metric", "treatment", "control"}) for one in org.templates]
        said += [arms, sorted(org.experiments.events)]
    return said
