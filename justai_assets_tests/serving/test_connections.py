import asyncio
import contextlib
import os
import socket
import time
from pathlib import Path

import pytest

from justai_assets.serving.connections import QUIET_SECONDS, Connections
from justai_assets_tests.serving.nursery import Nursery, served
from justai_assets_tests.serving.sends import send
from justai_assets_tests.serving.service import run, settings, write_orgs


def is_open(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def test_what_one_address_holds_beyond_its_share_and_does_not_use_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(server.getsockname())) for _ in range(6)]
        accepted = [stack.enter_context(server.accept()[0]) for _ in clients]
        assert len(accepted) == 6
        now = [0.0]
        found = Connections(3, lambda: now[0])
        for busy in clients[3:5]:
            found.begin(busy.getsockname())
        assert found.close_idle() == 3
        assert [is_open(client) for client in clients] == [False, False, False, True, True, True]
        found.end(clients[3].getsockname())
        found.end(None)
        assert Connections(6, lambda: now[0]).close_idle() == 0


def test_a_look_at_the_connections_leaves_no_descriptor_open(tmp_path: Path) -> None:
    own = Path("/proc/self/fd")
    with contextlib.ExitStack() as stack:
        reader, writer = os.pipe()
        stack.callback(os.close, reader)
        stack.callback(os.close, writer)
        stack.enter_context((tmp_path / "file").open("w"))
        stack.enter_context(socket.socketpair()[0])
        found = Connections(1, time.monotonic)
        before = len(list(own.iterdir()))
        for _ in range(5):
            found.close_idle()
        assert len(list(own.iterdir())) == before


def test_the_longest_idle_are_closed_first_and_a_body_that_pauses_is_idle() -> None:
    async def scenario(clients: list[socket.socket]) -> None:
        now = [0.0]
        found = Connections(3, lambda: now[0])
        addresses = [client.getsockname() for client in clients]
        for moment, address in zip((3.0, 1.0, 2.0), addresses[:3], strict=True):
            now[0] = moment
            found.begin(address)
            found.end(address)
        waits = []
        for moment, address in zip((1.5, 4.0 - QUIET_SECONDS / 2), addresses[3:5], strict=True):
            now[0] = moment
            found.begin(address)
            waits.append(asyncio.ensure_future(found.receive(address, asyncio.Event().wait)))
            await asyncio.sleep(0)
        found.begin(addresses[5])
        now[0] = 4.0
        assert found.close_idle() == 3
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(server.getsockname())) for _ in range(6)]
        accepted = [stack.enter_context(server.accept()[0]) for _ in clients]
        assert len(accepted) == 6
        run(scenario(clients))
        assert [is_open(client) for client in clients] == [True, False, False, False, True, True]


UNFINISHED = b"POST /api/webhook/itbl/acme HTTP/1.1\r\nhost: x\r\n"


@pytest.mark.parametrize(
    "start",
    [
        UNFINISHED,
        UNFINISHED + b"x-api-key: key-of-acme\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{",
    ],
    ids=["head", "body"],
)
def test_an_address_that_opens_every_connection_keeps_nobody_out(
    tmp_path: Path, starter: Nursery, start: bytes
) -> None:
    write_orgs(tmp_path)
    config = settings(tmp_path, connections=40, connections_per_address=10, head_seconds=60.0, body_seconds=60.0)
    with served(starter, config) as service, contextlib.ExitStack() as stack:
        for _ in range(40):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", service.port)))
            one.sendall(start)
        begun = time.monotonic()
        assert send(service, 1).status_code == 202
        assert time.monotonic() - begun < 40, "the own limit of a head and of a body is a minute"
