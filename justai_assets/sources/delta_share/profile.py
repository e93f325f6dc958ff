"""The credential file of a share.

Source: the profile file format of the Delta Sharing protocol, versions 1 and 2. It is parsed here rather than by the
`delta_sharing` package, whose import costs a second (pandas) and whose errors are bare KeyErrors.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

from justai_assets.sources.delta_share.errors import ProfileError

Kind = Literal["bearer_token", "basic", "oauth_client_credentials"]
WARN_DAYS = 14
"""How many days ahead the end of a credential is worth a warning."""

_FIELDS: dict[Kind, tuple[str, ...]] = {
    "bearer_token": ("bearerToken",),
    "basic": ("username", "password"),
    "oauth_client_credentials": ("tokenEndpoint", "clientId", "clientSecret"),
}


@dataclass(frozen=True)
class Profile:
    """Where a share is and how we prove who we are.

    Attributes:
        endpoint: URL prefix of the server, without a trailing slash.
        kind: how requests are authorised; a version 1 file is `bearer_token`.
        secret: bearer token, password or client secret.
        user: username or client id.
        token_endpoint: where an OAuth client gets its access token.
        scope: OAuth scope, if the file names one.
        expires_at: when the credential dies, UTC, if the file says so.
    """

    endpoint: str
    kind: Kind
    secret: SecretStr
    user: str = field(default="", repr=False)
    token_endpoint: str = ""
    scope: str = ""
    expires_at: datetime | None = None

    @classmethod
    def parse(cls, text: str | SecretStr) -> Profile:
        """From the text of a credential file.

        Raises:
            ProfileError: not JSON, an unknown version or kind, a missing key, an endpoint that is no http(s) URL.
        """
        data = _object(text.get_secret_value() if isinstance(text, SecretStr) else text)
        kind = _kind(data)
        values = {key: _text(data, key) for key in ("endpoint", *_FIELDS[kind])}
        token_endpoint = values.get("tokenEndpoint", "")
        return cls(
            endpoint=_url("endpoint", values["endpoint"]),
            kind=kind,
            secret=SecretStr(values[_FIELDS[kind][-1]]),
            user=values.get("username") or values.get("clientId") or "",
            token_endpoint=_url("tokenEndpoint", token_endpoint) if token_endpoint else "",
            scope=str(data.get("scope") or ""),
            expires_at=_expiry(data.get("expirationTime")),
        )

    def days_left(self, now: datetime) -> float | None:
        """Days until the credential dies, negative when it has; None when the file names no end."""
        return None if self.expires_at is None else (self.expires_at - now).total_seconds() / 86_400

    def expiry_warning(self, now: datetime) -> str:
        """What to tell the operator, from `WARN_DAYS` ahead; empty before that."""
        left = self.days_left(now)
        if left is None or left > WARN_DAYS:
            return ""
        when = "has expired" if left <= 0 else f"expires in {left:.1f} days"
        return f"the share credential {when}; ask the provider for a new activation link and replace the profile"


def _object(text: str) -> dict[str, Any]:
    # No part of the text is ever repeated, nor is the decoder's error chained: both would show the token.
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise ProfileError("the share profile is not a JSON object", mend="store the credential file as downloaded")
    return data


def _kind(data: dict[str, Any]) -> Kind:
    version = data.get("shareCredentialsVersion")
    if version in (1, "1"):
        return "bearer_token"
    if version not in (2, "2"):
        raise ProfileError(
            "the share profile's shareCredentialsVersion is not 1 or 2", mend="store the credential file as downloaded"
        )
    kind = data.get("type")
    if kind not in _FIELDS:
        # The value is the provider's own word for a kind of login, but it is not needed to say what to do.
        raise ProfileError(
            f"the share profile's type is none of {', '.join(_FIELDS)}",
            mend="ask the provider for a recipient that uses a bearer token or OAuth client credentials",
        )
    known: Kind = kind
    return known


def _text(data: dict[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ProfileError(f"the share profile lacks {key}", mend="store the credential file as downloaded")
    return value.strip()


def _url(key: str, text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise ProfileError(f"the share profile's {key} is not a plain http(s) address", mend="correct the profile")
    return text.rstrip("/")


def _expiry(value: Any) -> datetime | None:
    if value in (None, ""):
        return None
    try:
        when = datetime.fromisoformat(str(value))
    except ValueError:
        raise ProfileError(
            "the share profile's expirationTime is not an ISO 8601 time", mend="correct it, or remove the key"
        ) from None
    # Databricks writes 9999-12-31T23:59:59.999Z for "never"; a time without a zone is UTC by the protocol's examples.
    return when if when.tzinfo else when.replace(tzinfo=UTC)
