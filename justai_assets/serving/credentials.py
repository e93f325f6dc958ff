"""Who may write through a door: what the org file names, kept as digests and compared in constant time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from enum import Enum

_SCHEME = re.compile(r"^(?:basic|bearer|oauth2?|token)[ \t]+", re.IGNORECASE)


SIGNERS = 3
"""A signing secret, and previous ones while it is rotated."""


class Verdict(Enum):
    """What the credentials of a request say."""

    KNOWN = "known"
    ANONYMOUS = "anonymous"
    REFUSED = "refused"


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def _without_scheme(text: str) -> str:
    return _SCHEME.sub("", text.strip()).strip()


class Credentials:
    """The credentials of one org and door.

    Secrets are kept as SHA-256 digests, or, for signatures, as the state of a keyed hash; none can be printed.

    Args:
        api_keys: what X-Api-Key may hold.
        authorizations: what the Authorization header may hold: a token, or `user:password` for Basic. A scheme before
            it (Basic, Bearer, OAuth2, Token) does not matter, neither here nor in the request, because Iterable sends
            Basic credentials with and without it.
        signing_secrets: keys of X-Chameleon-Signature.
        anonymous: whether a request without any credential passes.
    """

    def __init__(
        self,
        *,
        api_keys: Iterable[str] = (),
        authorizations: Iterable[str] = (),
        signing_secrets: Iterable[str] = (),
        anonymous: bool = False,
    ) -> None:
        self._api_keys = tuple(_digest(key.encode()) for key in api_keys)
        tokens = [_without_scheme(text) for text in authorizations]
        tokens += [base64.b64encode(token.encode()).decode() for token in tokens if ":" in token]
        self._authorizations = tuple(_digest(token.encode()) for token in tokens)
        keys = [secret.encode() for secret in signing_secrets]
        # As many keyed hashes for every org: the time of an answer must not tell which one is rotating its secret, or
        # that an org does not exist. Nobody knows the keys that fill up.
        keys += [secrets.token_bytes(32) for _ in range(SIGNERS - len(keys))]
        self._signers = tuple(hmac.new(key, digestmod=hashlib.sha256) for key in keys)
        self._anonymous = anonymous

    def of_headers(self, api_key: bytes | None, authorization: bytes | None) -> Verdict:
        """The verdict on what the headers hold.

        A wrong credential is refused also where none is needed: its sender believes to be someone.
        """
        known = False
        if api_key is not None:
            known |= _among(_digest(api_key.strip()), self._api_keys)
        if authorization is not None:
            token = _without_scheme(authorization.decode("latin-1")).encode("latin-1")
            known |= _among(_digest(token), self._authorizations)
        if known:
            return Verdict.KNOWN
        presented = (api_key is not None and self._api_keys) or (authorization is not None and self._authorizations)
        return Verdict.ANONYMOUS if self._anonymous and not presented else Verdict.REFUSED

    def of_signature(self, body: bytes, signature: bytes | None) -> Verdict:
        """The verdict on a hexadecimal HMAC-SHA256 over the body's raw bytes."""
        if signature is None:
            return Verdict.REFUSED
        presented = signature.strip().lower()
        known = False
        for signer in self._signers:
            own = signer.copy()
            own.update(body)
            known |= hmac.compare_digest(own.hexdigest().encode(), presented)
        return Verdict.KNOWN if known else Verdict.REFUSED


def _among(digest: bytes, digests: tuple[bytes, ...]) -> bool:
    found = False
    for one in digests:  # no early exit: the time must not tell which one matched
        found |= hmac.compare_digest(digest, one)
    return found


NOBODY = Credentials(signing_secrets=["no org"])
"""The credentials of an org that does not exist: as much work as a real one's, and nothing passes.

Its signing key is public, so whoever uses it must refuse a door without an org whatever the verdict."""
