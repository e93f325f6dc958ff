"""The credential file of a share, and how a request proves who we are.

The `delta_sharing` package parses the file, versions 1 and 2 of the protocol's profile format. Checked here is what the
package lets pass: an endpoint that is no http(s) address, an empty secret, and the end of a credential other than a
bearer token, which the package drops. Its errors may quote the file and are not chained. Its providers of OAuth tokens
are not used: they ask without a timeout.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from justai_assets.sources.delta_share.share_errors import (
    ProfileError,
    ShareAccessError,
    TransientShareError,
    retry_after,
)

Kind = Literal["bearer_token", "basic", "oauth_client_credentials"]
WARN_DAYS = 14
"""How many days ahead the end of a credential is worth a warning."""

AS_DOWNLOADED = "store the credential file as downloaded"

SECRETS: dict[Kind, tuple[str, str]] = {
    "bearer_token": ("bearer_token", "bearerToken"),
    "basic": ("password", "password"),
    "oauth_client_credentials": ("client_secret", "clientSecret"),
}
"""Kind of authorisation → where its secret is: in what the package parsed, and in the file."""


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
        found = _read(data)
        kind: Kind = found.type or "bearer_token"
        attribute, key = SECRETS[kind]
        is_oauth, is_named = kind == "oauth_client_credentials", kind != "bearer_token"
        return cls(
            endpoint=_url("endpoint", _text(found.endpoint, "endpoint")),
            kind=kind,
            secret=SecretStr(_text(getattr(found, attribute), key)),
            user=_text(found.username or found.client_id, "username or clientId") if is_named else "",
            token_endpoint=_url("tokenEndpoint", _text(found.token_endpoint, "tokenEndpoint")) if is_oauth else "",
            scope=str(found.scope or ""),
            # From the file: the package keeps the end of a bearer token only.
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
    # No part of the text is ever repeated, and the decoder's error is not chained: both would show the token.
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise ProfileError("the share profile is not a JSON object", mend=AS_DOWNLOADED)
    return data


@cache
def _package() -> Any:
    """The module `delta_sharing.protocol` without its package, whose import brings pandas.

    0.03 s and 3 MB instead of 0.4 s and 79 MB, in each process that asks a share.
    """
    package = importlib.util.find_spec("delta_sharing")
    if package is None or not package.submodule_search_locations:
        raise ImportError("delta-sharing is not installed", name="delta_sharing")
    path = Path(package.submodule_search_locations[0]) / "protocol.py"
    spec = importlib.util.spec_from_file_location("justai_assets.delta_sharing_protocol", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _read(data: dict[str, Any]) -> Any:
    """The file as `DeltaSharingProfile`, of a kind that we speak."""
    version = data.get("shareCredentialsVersion")
    if version not in (1, "1", 2, "2"):
        raise ProfileError("the share profile's shareCredentialsVersion is not 1 or 2", mend=AS_DOWNLOADED)
    if version in (2, "2") and data.get("type") not in tuple(SECRETS):
        # The value is the provider's own word for a kind of login, but it is not needed to say what to do.
        raise ProfileError(
            f"the share profile's type is none of {', '.join(SECRETS)}",
            mend="ask the provider for a recipient that uses a bearer token or OAuth client credentials",
        )
    try:
        return _package().DeltaSharingProfile.from_json(data)
    except KeyError as error:
        wrong = f"the share profile lacks {error.args[0]}"
    except AttributeError:
        wrong = "an address in the share profile is not a text"
    # Outside the handlers, or the error would keep the package's own, which may quote the file.
    raise ProfileError(wrong, mend=AS_DOWNLOADED)


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ProfileError(f"the share profile lacks {key}", mend=AS_DOWNLOADED)
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


_Key = tuple[str, str, str, str]
_TOKENS: dict[_Key, str] = {}
_LOCKS: dict[_Key, Lock] = {}


class StaticAuth(httpx.Auth):
    """A bearer token, or HTTP Basic."""

    def __init__(self, header: str) -> None:
        self._header = header

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request with its Authorization header."""
        request.headers["Authorization"] = self._header
        yield request


class ClientCredentialsAuth(httpx.Auth):
    """OAuth 2.0 client credentials (RFC 6749, 4.4): a token is fetched when there is none and when one is refused.

    Being refused, not `expires_in`, is what says that a token has died: no clock takes part, and a token that is
    revoked early is handled by the same path. A token lives as long as the process, in its memory alone: a sensor that
    looks at a share every five minutes asks for one request, not for two.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        secret = hashlib.sha256(profile.secret.get_secret_value().encode()).hexdigest()
        self._key = (profile.token_endpoint, profile.user, secret, profile.scope)
        self._lock = _LOCKS.setdefault(self._key, Lock())

    @property
    def token(self) -> str:
        """The access token in use; empty before the first."""
        return self._token or ""

    @property
    def _token(self) -> str | None:
        return _TOKENS.get(self._key)

    @_token.setter
    def _token(self, token: str) -> None:
        _TOKENS[self._key] = token

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request, and once more with a fresh token when the first is refused."""
        with self._lock:
            if self._token is None:
                self._token = _token_of((yield self._token_request(request)))
            used = self._token
        request.headers["Authorization"] = f"Bearer {used}"
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return
        with self._lock:
            if self._token == used:
                self._token = _token_of((yield self._token_request(request)))
            used = self._token
        request.headers["Authorization"] = f"Bearer {used}"
        yield request

    def _token_request(self, request: httpx.Request) -> httpx.Request:
        form = {"grant_type": "client_credentials"}
        if self._profile.scope:
            form["scope"] = self._profile.scope
        headers = {"Authorization": _basic(self._profile), "Accept": "application/json"}
        # A request made by hand carries no timeout of its own.
        extensions = {"timeout": request.extensions["timeout"]}
        return httpx.Request("POST", self._profile.token_endpoint, data=form, headers=headers, extensions=extensions)


def auth_for(profile: Profile) -> httpx.Auth:
    """The authorisation a profile asks for."""
    if profile.kind == "oauth_client_credentials":
        return ClientCredentialsAuth(profile)
    if profile.kind == "basic":
        return StaticAuth(_basic(profile))
    return StaticAuth(f"Bearer {profile.secret.get_secret_value()}")


def _basic(profile: Profile) -> str:
    pair = f"{profile.user}:{profile.secret.get_secret_value()}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _token_of(response: httpx.Response) -> str:
    response.read()
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.status_code >= 500:
        raise TransientShareError(
            f"the OAuth token endpoint answered {response.status_code}",
            mend="it is retried",
            retry_after=retry_after(response),
        )
    mend = "check clientId, clientSecret and scope in the share profile, or ask the provider for new ones"
    if response.status_code != httpx.codes.OK:
        raise ShareAccessError(f"the OAuth token endpoint answered {response.status_code}", mend=mend)
    try:
        token = response.json()["access_token"]
    except (ValueError, KeyError, TypeError):
        token = None
    if not isinstance(token, str) or not token:
        raise ShareAccessError("the OAuth token endpoint answered without an access_token", mend=mend)
    return token
