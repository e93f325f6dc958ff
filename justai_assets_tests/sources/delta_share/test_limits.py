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
from justai_assets.sources.delta_share.share_errors import BadAnswerError, SlowShareError, StoppedError
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
