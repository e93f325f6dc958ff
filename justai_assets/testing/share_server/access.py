"""Who may ask, and for how long a file's address is good."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote, urlencode


@dataclass
class Access:
    """Credentials the server takes and the signatures it makes.

    Attributes:
        clock: seconds since 1970; tests move it.
        url_seconds: life of a pre-signed file address.
        token_seconds: life of an OAuth access token.
    """

    clock: Callable[[], float]
    url_seconds: float = 3600
    token_seconds: float = 3600
    bearer: str = field(default_factory=lambda: f"bearer-{secrets.token_urlsafe(24)}")
    username: str = "recipient"
    password: str = field(default_factory=lambda: f"password-{secrets.token_urlsafe(24)}")
    client_id: str = "justai-client"
    client_secret: str = field(default_factory=lambda: f"client-{secrets.token_urlsafe(24)}")
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _issued: dict[str, float] = field(default_factory=dict)

    def allows(self, header: str) -> bool:
        """Whether an Authorization header carries the bearer token, an issued access token, or user and password."""
        kind, _, value = header.partition(" ")
        if kind == "Bearer":
            return hmac.compare_digest(value, self.bearer) or self._issued.get(value, 0) > self.clock()
        return kind == "Basic" and value == self._basic(self.username, self.password)

    def issue(self, header: str) -> str | None:
        """A fresh access token for a client that proves its id and secret, else None."""
        if header != f"Basic {self._basic(self.client_id, self.client_secret)}":
            return None
        token = f"access-{secrets.token_urlsafe(24)}"
        self._issued[token] = self.clock() + self.token_seconds
        return token

    def revoke(self) -> None:
        """Forget every issued access token."""
        self._issued.clear()

    def sign(self, path: str) -> tuple[str, int]:
        """`path` with expiry and signature, and the expiry in ms."""
        expires = int((self.clock() + self.url_seconds) * 1000)
        query = urlencode({"X-Amz-Expires": expires, "X-Amz-Signature": self._signature(path, expires)})
        return f"{path}?{query}", expires

    def honours(self, path: str, expires: str, signature: str) -> bool:
        """Whether a pre-signed address is ours and has not expired (ms)."""
        if not expires.isdigit() or not hmac.compare_digest(signature, self._signature(path, int(expires))):
            return False
        return int(expires) > self.clock() * 1000

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must never be seen outside a request."""
        return (self.bearer, self.password, self.client_secret, *self._issued)

    def _signature(self, path: str, expires: int) -> str:
        # Over the decoded path: clients are free to spell = as %3D.
        return hmac.new(self._key, f"{unquote(path)}\n{expires}".encode(), hashlib.sha256).hexdigest()

    @staticmethod
    def _basic(name: str, secret: str) -> str:
        return base64.b64encode(f"{name}:{secret}".encode()).decode()
