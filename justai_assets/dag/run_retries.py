"""What fails is tried again only when trying again may help."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from justai_assets.contract.errors import JustAIError, StorageError, TransientStorageError
from justai_assets.dag.databricks.job_errors import SparkJobError
from justai_assets.storage import lasting_reason

RETRIES = 3
RETRY_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 3600.0

_LASTING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT}


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed later: our own verdict, or a network or file error that does not last."""
    if isinstance(error, JustAIError):
        return error.transient
    if not isinstance(error, OSError) or isinstance(error, FileNotFoundError):
        return False
    return error.errno not in _LASTING and lasting_reason(error) is None


def _wait_seconds(error: BaseException, retry_number: int) -> float:
    # What a server asks for in Retry-After, as long as a run can wait for it.
    asked = float(getattr(error, "retry_after", None) or 0.0)
    return max(RETRY_SECONDS * 2.0**retry_number, min(asked, LONGEST_WAIT_SECONDS))


@contextmanager
def verdicts(retry_number: int) -> Iterator[None]:
    """Inside an asset: transient errors ask for a retry, doubling the wait; lasting ones fail with code and mend.

    So does the last attempt: a request for a retry that is not granted would fail without saying why.
    """
    try:
        yield
    except Exception as error:
        if is_transient(error):
            if retry_number < RETRIES:
                raise dg.RetryRequested(RETRIES, _wait_seconds(error, retry_number)) from error
            raise _failure(error, f"; the same after {RETRIES} retries") from error
        if isinstance(error, JustAIError) or (isinstance(error, OSError) and lasting_reason(error)):
            raise _failure(error) from error
        raise


def _failure(error: Exception, more: str = "") -> dg.Failure:
    """What a person and an alert are told. The text of an error that is not ours stays out: it may quote a record."""
    if isinstance(error, JustAIError):
        said, metadata = f"{error}{more}", {"code": error.code, "mend": error.mend}
    else:
        why, mend = lasting_reason(error) or ("the storage or the network failed", "see that it answers, then rerun")
        code = StorageError.code if lasting_reason(error) else TransientStorageError.code
        said, metadata = f"{why} ({type(error).__name__}){more}", {"code": code, "mend": mend}
    found: dict[str, Any] = dict(metadata)
    if isinstance(error, SparkJobError) and error.link:
        found["run"] = dg.MetadataValue.url(error.link)
    return dg.Failure(said, metadata=found, allow_retries=False)
