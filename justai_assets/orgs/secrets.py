"""Secrets by reference: an org file names where a secret lies, never the secret."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr
from pydantic.fields import FieldInfo

from justai_assets.contract.errors import JustAIError
from justai_assets.orgs.regular_file import OddFileError, read_small_text

_REFERENCE = re.compile(r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$")
MAX_SECRET_BYTES = 1 << 20


class SecretError(JustAIError):
    """A reference that cannot be resolved; the message holds the reference, never the secret."""

    code = "secret"


def _check_reference(text: str) -> str:
    if not _REFERENCE.match(text):
        # The text itself may be a secret that was pasted by mistake: it is not repeated.
        raise ValueError("a secret is named by reference: write env:NAME or file:/path/to/file")
    return text


SecretRef = Annotated[str, AfterValidator(_check_reference)]
"""`env:NAME` or `file:PATH`."""


def resolve(reference: str, *, base: Path | None = None) -> SecretStr:
    """The secret a reference names, with surrounding white space removed.

    Args:
        reference: `env:NAME` or `file:PATH`.
        base: folder that a relative PATH starts from (the org file's own).

    Raises:
        SecretError: the variable is unset, the file cannot be read, is larger than 1 MiB, or either is empty.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = os.environ.get(name, "")
        mend = f"set the environment variable {name}"
    elif kind == "file":
        path = Path(name) if base is None else base / name
        mend = f"write the secret to {name}, readable by this process"
        try:
            value = read_small_text(path, MAX_SECRET_BYTES)
        except OddFileError as error:
            raise SecretError(f"{reference} {error}", mend=mend) from None
        except (OSError, ValueError) as error:  # a path with a NUL, a text that is no UTF-8
            raise SecretError(f"{reference} cannot be read: {type(error).__name__}", mend=mend) from None
    else:
        raise SecretError("not a secret reference", mend="write env:NAME or file:/path/to/file")
    value = value.strip()
    if not value:
        raise SecretError(f"{reference} is empty or not set", mend=mend)
    return SecretStr(value)


def variable(slug: str, secret: str) -> str:
    """The environment variable that a secret of an org is kept in by habit: `ACME_API_KEY`."""
    name = slug.upper().replace("-", "_")
    return f"ORG_{name}_{secret}" if name[0].isdigit() else f"{name}_{secret}"


def reference_of(slug: str, secret: str) -> str:
    """The reference to it: `env:ACME_API_KEY`."""
    return f"env:{variable(slug, secret)}"


def references(model: BaseModel) -> dict[str, str]:
    """Every secret reference inside a model, by dotted key."""
    found: dict[str, str] = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            found |= {f"{name}.{key}": ref for key, ref in references(value).items()}
        elif not value or not (_holds_references(field.annotation) or _is_reference(field)):
            continue
        elif isinstance(value, str):
            found[name] = value
        elif isinstance(value, tuple):
            found |= {f"{name}.{index}": ref for index, ref in enumerate(value)}
    return found


def _is_reference(field: FieldInfo) -> bool:
    return any(getattr(extra, "func", None) is _check_reference for extra in field.metadata)


def _holds_references(annotation: object) -> bool:
    return "_check_reference" in repr(annotation)


class StrictModel(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
