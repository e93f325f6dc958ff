"""How a request proves who we are."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Generator
from threading import Lock

import httpx

from justai_assets.sources.delta_share.errors import ShareAccessError, TransientShareError
from justai_assets.sources.delta_share.profile import Profile
from justai_assets.sources.delta_share.transport import retry_after

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
