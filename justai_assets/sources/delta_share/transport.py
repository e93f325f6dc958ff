"""What both the share's server and the file store have in common: exceptions, throttling, and a quiet log."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import httpx

from justai_assets.sources.delta_share.errors import (
    BadAnswerError,
    SlowShareError,
    ThrottledError,
    TransientShareError,
    TruncatedAnswerError,
)


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


class _WithoutQueries(logging.Filter):
    """httpx logs every address at INFO, and the query of ours is the key to the file."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(one.copy_with(query=None) if isinstance(one, httpx.URL) else one for one in record.args)
        return True


_FILTER = _WithoutQueries()


def hide_addresses() -> None:
    """Keep the queries of addresses out of httpx's log, for the whole process."""
    # addFilter ignores a filter that is there already.
    logging.getLogger("httpx").addFilter(_FILTER)
