from __future__ import annotations

import errno

import dagster as dg
import pytest

from justai_assets.contract.errors import ContractError, StorageError, TransientStorageError
from justai_assets.dag.retries import RETRY_SECONDS, is_transient, verdicts


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


def test_a_lasting_error_fails_with_its_code_and_mend() -> None:
    with pytest.raises(dg.Failure) as caught, verdicts(0):
        raise ContractError("bad column", mend="drop it")
    assert caught.value.allow_retries is False
    assert caught.value.description == "bad column (drop it)"
    assert {name: value.value for name, value in caught.value.metadata.items()} == {
        "code": "contract",
        "mend": "drop it",
    }


def test_an_unknown_error_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), verdicts(0):
        raise ZeroDivisionError
