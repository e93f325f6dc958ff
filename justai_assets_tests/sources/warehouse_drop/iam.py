"""IAM's evaluation of a policy, with conditions, which moto does not evaluate for S3: deny wins, then allow."""

from __future__ import annotations

import re
from typing import Any

_OPERATORS = {
    "StringLike": lambda pattern, value: _like(pattern, value),
    "StringEquals": lambda wanted, value: wanted == value,
    "Bool": lambda wanted, value: wanted.lower() == value.lower(),
}


def allows(policy: dict[str, Any], action: str, resource: str, **context: str) -> bool:
    """Whether a policy allows a request. A condition on a key that the request lacks is not met."""
    effects = {one["Effect"] for one in policy["Statement"] if _concerns(one, action, resource, context)}
    return effects == {"Allow"}


def _concerns(statement: dict[str, Any], action: str, resource: str, context: dict[str, str]) -> bool:
    return (
        any(_like(pattern, action) for pattern in _many(statement["Action"]))
        and any(_like(pattern, resource) for pattern in _many(statement["Resource"]))
        and all(
            any(key in context and _OPERATORS[operator](wanted, context[key]) for wanted in _many(values))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _like(pattern: str, value: str) -> bool:
    parts = re.split(r"([*?])", pattern)
    expression = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(expression, value, re.DOTALL) is not None


def _many(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
