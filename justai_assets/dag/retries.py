"""What fails is tried again only when trying again may help."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from justai_assets.contract.errors import JustAIError
from justai_assets.dag.databricks.errors import SparkJobError

RETRIES = 3
RETRY_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 3600.0

_LASTING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT}


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed later: our own verdict, or a network or file error that does not last."""
    if isinstance(error, JustAIError):
        return error.transient
    return isinstance(error, OSError) and error.errno not in _LASTING


def _wait_seconds(error: BaseException, retry_number: int) -> float:
    # What a server asks for in Retry-After, as long as a run can wait for it.
    asked = float(getattr(error, "retry_after", None) or 0.0)
    return max(RETRY_SECONDS * 2.0**retry_number, min(asked, LONGEST_WAIT_SECONDS))


@contextmanager
def verdicts(retry_number: int) -> Iterator[None]:
    """Inside an asset: transient errors ask for a retry, doubling the wait; lasting ones fail with code and mend."""
    try:
        yield
    except Exception as error:
        if is_transient(error):
            raise dg.RetryRequested(RETRIES, _wait_seconds(error, retry_number)) from error
        if isinstance(error, JustAIError):
            metadata: dict[str, Any] = {"code": error.code, "mend": error.mend}
            if isinstance(error, SparkJobError) and error.link:
                metadata["run"] = dg.MetadataValue.url(error.link)
            raise dg.Failure(str(error), metadata=metadata, allow_retries=False) from error
        raise
