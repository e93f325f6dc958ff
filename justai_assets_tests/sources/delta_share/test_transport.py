from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from justai_assets.sources.delta_share.client import ShareClient
from justai_assets.sources.delta_share.profile import Profile
from justai_assets.sources.delta_share.share_errors import (
    BadAnswerError,
    ShareAccessError,
    ShareMovedError,
    SlowShareError,
    StoppedError,
    TransientShareError,
)
from justai_assets.sources.delta_share.transport import RequestPolicy, limited, within
from justai_assets_tests.sources.delta_share.shared import TABLE

Talk = Callable[[socket.socket, threading.Event], None]
ONCE = RequestPolicy(attempts=1, connect_seconds=1, read_seconds=2, request_seconds=1)


@contextmanager
def server(talk: Talk) -> Iterator[str]:
    """The address of a server that says what it is told to, on each connection."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def one(connection: socket.socket) -> None:
            with connection:
                connection.recv(65_536)
                try:
                    talk(connection, over)
                except OSError:
                    return  # the client hung up, as it should

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()


def dripping_headers(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while not over.wait(0.05):
        connection.sendall(b"a")


def silent(_: socket.socket, over: threading.Event) -> None:
    over.wait(30)


def endless(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not over.is_set():
        connection.sendall(b"10000\r\n" + b"a" * 65_536 + b"\r\n")


def profile(address: str, **more: str) -> Profile:
    return Profile.parse(json.dumps({"shareCredentialsVersion": 1, "endpoint": address, "bearerToken": "t", **more}))


def test_headers_that_drip_end_with_the_time_of_the_request() -> None:
    start = time.monotonic()
    with (
        server(dripping_headers) as address,
        ShareClient(profile(address), policy=ONCE) as client,
        pytest.raises(SlowShareError),
    ):
        client.version(TABLE)
    assert time.monotonic() - start < 25


def test_a_token_that_drips_does_too() -> None:
    with server(dripping_headers) as address:
        given = {
            "shareCredentialsVersion": 2, "type": "oauth_client_credentials", "endpoint": address,
            "tokenEndpoint": address, "clientId": "c", "clientSecret": "s",
        }  # fmt: skip
        start = time.monotonic()
        with (
            ShareClient(Profile.parse(json.dumps(given)), policy=ONCE) as client,
            pytest.raises(SlowShareError),
        ):
            client.version(TABLE)
        assert time.monotonic() - start < 25


def test_an_answer_without_end_is_refused() -> None:
    policy = RequestPolicy(attempts=1, read_seconds=5, request_seconds=60)
    with (
        server(endless) as address,
        ShareClient(profile(address), policy=policy) as client,
        pytest.raises(BadAnswerError, match="does not end"),
    ):
        client.offers()


def test_bytes_are_counted_as_they_arrive() -> None:
    with (
        server(endless) as address,
        limited(httpx.Client()) as client,
        within(30, 1 << 20),
        pytest.raises(BadAnswerError, match="larger than"),
    ):
        client.get(address)


def test_a_silent_server_is_left_within_a_second_or_so_when_the_run_ends() -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    start = time.monotonic()
    with (
        server(silent) as address,
        limited(httpx.Client(timeout=30)) as client,
        within(30, 1 << 20, stop),
        pytest.raises(StoppedError),
    ):
        client.get(address)
    assert time.monotonic() - start < 25


def test_the_silence_that_is_allowed_is_still_bounded_on_its_own() -> None:
    start = time.monotonic()
    with (
        server(silent) as address,
        limited(httpx.Client(timeout=0.3)) as client,
        within(30, 1 << 20),
        pytest.raises(httpx.ReadTimeout),
    ):
        client.get(address)
    assert time.monotonic() - start < 25


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


def test_the_waits_double_and_are_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(threading.Event, "wait", lambda _, seconds: waits.append(seconds))
    errors = [TransientShareError(str(number)) for number in range(7)]
    with pytest.raises(TransientShareError):
        RequestPolicy(attempts=7, first_wait=1, longest_wait=20).retrying(Server(*errors))
    assert waits[0] == 0
    for wait, least in zip(waits[1:], (1, 2, 4, 8, 16, 20), strict=True):
        assert least <= wait <= min(20, 1.5 * least)


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
