import contextlib
import socket
import time
from pathlib import Path

from justai_assets.collector.connections import Connections
from justai_assets_tests.collector.service import Nursery, served, settings, write_orgs
from justai_assets_tests.collector.test_serve import send


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
        found = Connections(3)
        for busy in clients[3:5]:
            found.begin(busy.getsockname())
        assert found.close_idle() == 3
        assert [is_open(client) for client in clients] == [True, False, False, True, True, False]
        found.end(clients[3].getsockname())
        found.end(None)
        assert Connections(6).close_idle() == 0


def test_an_address_that_opens_every_connection_keeps_nobody_out(tmp_path: Path, starter: Nursery) -> None:
    write_orgs(tmp_path)
    config = settings(tmp_path, connections=40, connections_per_address=10, head_seconds=60.0)
    with served(starter, config) as service, contextlib.ExitStack() as stack:
        for _ in range(40):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", service.port)))
            one.sendall(b"POST /api/webhook/itbl/acme HTTP/1.1\r\nhost: x\r\n")
        begun = time.monotonic()
        assert send(service, 1).status_code == 202
        assert time.monotonic() - begun < 40, "the head's own limit is a minute"
