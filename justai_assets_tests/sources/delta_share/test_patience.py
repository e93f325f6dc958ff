from __future__ import annotations

import threading
import time

import pytest

from justai_assets.sources.delta_share.share_errors import (
    ShareAccessError,
    ShareMovedError,
    StoppedError,
    TransientShareError,
)
from justai_assets.sources.delta_share.transport import RequestPolicy


class Server:
    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


QUICK = RequestPolicy(attempts=3, first_wait=0.01, longest_wait=0.2)


def test_what_passes_is_asked_again_as_often_as_it_may() -> None:
    assert QUICK.retrying(Server(TransientShareError("a"), TransientShareError("b"))) == "answer"
    server = Server(*(TransientShareError(str(number)) for number in range(3)))
    with pytest.raises(TransientShareError, match="2"):
        QUICK.retrying(server)
    assert server.asked == 3


@pytest.mark.parametrize("error", [ShareAccessError("no"), ShareMovedError("gone")])
def test_what_another_request_cannot_mend_is_asked_once(error: Exception) -> None:
    server = Server(error)
    with pytest.raises(type(error)):
        QUICK.retrying(server)
    assert server.asked == 1


def test_a_wait_that_the_server_asks_for_is_kept_or_handed_on() -> None:
    start = time.monotonic()
    assert QUICK.retrying(Server(TransientShareError("later", retry_after=0.15))) == "answer"
    assert time.monotonic() - start >= 0.15
    with pytest.raises(TransientShareError) as caught:
        QUICK.retrying(Server(TransientShareError("much later", retry_after=300)))
    assert caught.value.retry_after == 300


def test_whoever_waits_is_woken_when_the_run_ends() -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    start = time.monotonic()
    with pytest.raises(StoppedError):
        RequestPolicy(first_wait=60).retrying(Server(TransientShareError("a")), stop)
    assert time.monotonic() - start < 50, "the wait is a minute"
