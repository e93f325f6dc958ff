"""What can go wrong between a share and its mirror. After each of these errors the mirror holds what it held before."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import httpx

from justai_assets.contract.errors import JustAIError

_CREDENTIAL = re.compile(r"\b(bearer|basic)[\s:=]+[\w.~+/=-]+", re.IGNORECASE)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*(?:://|:%2f%2f|%3a%2f%2f)\S+", re.IGNORECASE)
# The key to a file is in the query of its address, also where a server cuts the scheme or the host off.
_QUERY = re.compile(r"(?:\?|%3f)[^\s\"'<>]+", re.IGNORECASE)
_PARAMETER = re.compile(
    r"\b(x-(?:amz|goog)-[\w-]+|sig|signature|se|sp|skoid|policy|key-pair-id|awsaccesskeyid|googleaccessid|password"
    r"|(?:[a-z]+[_-])?(?:token|secret|credential|key))([\"']?\s*(?:=|:|%3d)\s*[\"']?)[^\s&\"',;}]+",
    re.IGNORECASE,
)
MAX_QUOTED = 300


class ShareError(JustAIError):
    """A share that cannot be mirrored until someone does something."""

    code = "share"


class ProfileError(ShareError):
    """A credential file that is not one, or that is of a kind we do not speak."""

    code = "share_profile"


class ShareAccessError(ShareError):
    """The provider does not know the credential (401) or does not grant the table to it (403)."""

    code = "share_access"


class TableNotOfferedError(ShareError):
    """The table is not in the share: gone, renamed, or misspelt. The message lists what the share does offer."""

    code = "share_table_not_offered"


class EmptyShareError(ShareError):
    """The table lists no files at all."""

    code = "share_empty"


class UnsupportedShareError(ShareError):
    """The table uses a Delta feature that reading without it would get wrong."""

    code = "share_unsupported"


class BadAnswerError(ShareError):
    """The server answered, but not as the protocol says, or refused the request as malformed."""

    code = "share_bad_answer"


class TransientShareError(ShareError):
    """Worth another try.

    Attributes:
        retry_after: seconds the server asked us to wait, or None.
    """

    code = "share_transient"
    transient = True

    def __init__(self, message: str, *, mend: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, mend=mend)
        self.retry_after = retry_after


class ThrottledError(TransientShareError):
    """429: too many requests."""

    code = "share_throttled"


class SlowShareError(TransientShareError):
    """No answer, or not all of it, in time."""

    code = "share_slow"


class TruncatedAnswerError(TransientShareError):
    """A list or a file that stopped before its end."""

    code = "share_truncated"


class ShareMovedError(TransientShareError):
    """A listed file is no longer in the share: the table was rewritten meanwhile, and is listed anew."""

    code = "share_moved"


class StaleShareError(TransientShareError):
    """A list that is older than what is mirrored already."""

    code = "share_stale"


class BusyShareError(TransientShareError):
    """Another run is mirroring the same share."""

    code = "share_busy"


class StoppedError(ShareError):
    """A request that was given up because the run ends; never the reason why it does."""

    code = "share_stopped"


class AddressExpiredError(TransientShareError):
    """A pre-signed address that the file store no longer honours; a fresh one is asked for."""

    code = "share_address_expired"


class CorruptFileError(TransientShareError):
    """A file that is not what the listing said, or not Parquet. Transient: the next run downloads it again.

    Attributes:
        rows: of the file, where its footer tells them; else 1.
        reason: the quarantine reason for the file.
        column: the column at fault, or "".
    """

    code = "share_corrupt_file"

    def __init__(
        self, message: str, *, mend: str = "", rows: int = 1, reason: str = "unreadable_file", column: str = ""
    ) -> None:
        super().__init__(message, mend=mend)
        self.rows = rows
        self.reason = reason
        self.column = column


def quoted(text: str, secrets: Iterable[str] = ()) -> str:
    """What a server said, fit to be shown: one short line without addresses and without our secrets."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = _CREDENTIAL.sub(r"\1 ***", " ".join(text.split()))
    text = _QUERY.sub("?***", _ADDRESS.sub("<address>", text))
    return _PARAMETER.sub(r"\1\2***", text)[:MAX_QUOTED]


@contextmanager
def told_as_ours(who: str) -> Iterator[None]:
    """What httpx raises, as ours. They are not chained: theirs hold the request, and the request its secrets."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise SlowShareError(f"{who} did not answer in time ({type(error).__name__})", mend="it is retried") from None
    except httpx.RemoteProtocolError:
        raise TruncatedAnswerError(f"{who} hung up before the end of its answer", mend="it is retried") from None
    except (httpx.UnsupportedProtocol, httpx.InvalidURL):
        raise BadAnswerError(f"{who} has no usable address", mend="correct the share profile's endpoint") from None
    except httpx.TransportError as error:
        raise TransientShareError(f"{who} cannot be reached ({type(error).__name__})", mend="it is retried") from None
    except httpx.DecodingError:
        raise TruncatedAnswerError(f"{who} sent a body that cannot be decoded", mend="it is retried") from None


def retry_after(response: httpx.Response) -> float | None:
    """The seconds that a response's Retry-After asks for, or None.

    Where it is a date, the response's own Date says what now is: no clock of ours takes part.
    """
    said = response.headers.get("Retry-After", "").strip()
    try:
        seconds = float(said)
    except ValueError:
        try:
            until = parsedate_to_datetime(said)
            seconds = (until - parsedate_to_datetime(response.headers.get("Date", ""))).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def throttled(who: str, response: httpx.Response) -> ThrottledError:
    """The error that a 429 makes, with the seconds its Retry-After asks for."""
    after = retry_after(response)
    wait = "" if after is None else f", asking for {after:g} s"
    return ThrottledError(
        f"{who} limits our requests (429{wait})", mend="run it later, or ask the provider to raise the limit",
        retry_after=after,
    )  # fmt: skip
