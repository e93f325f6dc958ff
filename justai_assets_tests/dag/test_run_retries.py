from __future__ import annotations

import errno

import dagster as dg
import pytest

from justai_assets.contract.errors import ContractError, StorageError, TransientStorageError
from justai_assets.dag.run_retries import LONGEST_WAIT_SECONDS, RETRIES, RETRY_SECONDS, is_transient, verdicts
from justai_assets.sources.delta_share.share_errors import ThrottledError


@pytest.fixture
def no_waiting() -> None:
    """Here the waits are what is tested; nothing waits for them."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TransientStorageError("x"), True),
        (ConnectionResetError("x"), True),
        (TimeoutError("x"), True),
        (StorageError("x"), False),
        (ContractError("x"), False),
        (OSError(errno.ENOSPC, "full"), False),
        (PermissionError(errno.EACCES, "closed"), False),
        (FileNotFoundError(errno.ENOENT, "gone"), False),
        (FileNotFoundError("gone, says a library that gives no number"), False),
        (PermissionError("object-store error: 403 Forbidden"), False),
        (OSError("Generic S3 error: status code 400 Bad Request: <Code>ExpiredToken</Code>"), False),
        (OSError("Generic S3 error: status code: 503 Service Unavailable: <Code>SlowDown</Code>"), True),
        (ValueError("x"), False),
        (KeyError("x"), False),
    ],
    ids=repr,
)
def test_only_what_may_pass_is_tried_again(error: Exception, expected: bool) -> None:
    assert is_transient(error) is expected


def test_each_wait_is_twice_the_last() -> None:
    waits = []
    for number in range(3):
        with pytest.raises(dg.RetryRequested) as caught, verdicts(number):
            raise TransientStorageError("away")
        waits.append(caught.value.seconds_to_wait)
    assert waits == [RETRY_SECONDS, RETRY_SECONDS * 2, RETRY_SECONDS * 4]


@pytest.mark.parametrize(("asked", "waited"), [(300.0, 300.0), (1.0, RETRY_SECONDS), (86_400.0, LONGEST_WAIT_SECONDS)])
def test_a_wait_that_a_server_asks_for_is_kept_up_to_an_hour(asked: float, waited: float) -> None:
    with pytest.raises(dg.RetryRequested) as caught, verdicts(0):
        raise ThrottledError("later", retry_after=asked)
    assert caught.value.seconds_to_wait == waited


def test_a_lasting_error_fails_with_its_code_and_mend() -> None:
    with pytest.raises(dg.Failure) as caught, verdicts(0):
        raise ContractError("bad column", mend="drop it")
    assert caught.value.allow_retries is False
    assert caught.value.description == "bad column (drop it)"
    assert {name: value.value for name, value in caught.value.metadata.items()} == {
        "code": "contract",
        "mend": "drop it",
    }


def said(failure: dg.Failure) -> dict[str, object]:
    return {name: value.value for name, value in failure.metadata.items()}


def test_the_last_attempt_fails_with_code_and_mend_instead_of_asking_for_another() -> None:
    with pytest.raises(dg.Failure) as caught, verdicts(RETRIES):
        raise TransientStorageError("listing acme/ failed", mend="it is retried")
    assert caught.value.allow_retries is False
    assert caught.value.description == "listing acme/ failed (it is retried); the same after 3 retries"
    assert said(caught.value) == {"code": "storage_transient", "mend": "it is retried"}


def test_a_foreign_storage_error_has_a_code_and_none_of_its_text() -> None:
    for number, error, code in (
        (RETRIES, ConnectionResetError("reset by secret.example"), "storage_transient"),
        (0, PermissionError("403 Forbidden: secret.example"), "storage"),
    ):
        with pytest.raises(dg.Failure) as caught, verdicts(number):
            raise error
        assert said(caught.value)["code"] == code
        assert "secret.example" not in str(caught.value.description) + str(said(caught.value))


def test_an_unknown_error_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), verdicts(0):
        raise ZeroDivisionError
