import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from justai_assets.serving.body_deadlines import GRACE_SECONDS
from justai_assets.serving.body_memory import ANONYMOUS, UNVERIFIED, Memory
from justai_assets.serving.collector_config import Limits
from justai_assets_tests.serving.exchanges import CHAMELEON, exchange, iterable
from justai_assets_tests.serving.service import JSON, in_process, iterable_body, run, settings, sign


def test_an_org_has_its_share_and_strangers_have_theirs() -> None:
    memory = Memory(Limits(body_bytes=10, in_flight_bytes=100, unverified_bytes=30))
    assert memory.hold("acme", 50)
    assert not memory.hold("acme", 1)
    assert memory.hold(UNVERIFIED, 15, "192.0.2.1")
    assert not memory.hold(UNVERIFIED, 1, "192.0.2.1")
    assert memory.hold(UNVERIFIED, 15, "192.0.2.2")
    assert not memory.hold(UNVERIFIED, 1, "192.0.2.3")
    assert memory.hold("other", 50), "what strangers hold is not taken from known senders"
    assert not memory.hold("third", 1)
    memory.release("acme", 50)
    assert memory.hold("third", 50)
    memory.release(UNVERIFIED, 15, "192.0.2.1")
    assert memory.heaviest_address() == "192.0.2.2"
    assert memory.hold(UNVERIFIED, 15, "192.0.2.3")


def test_bodies_in_memory_are_bounded_for_all_and_for_one_org(base: Path) -> None:
    async def scenario() -> tuple[list[int], list[int]]:
        config = settings(base, body_bytes=1000, in_flight_bytes=4000, org_in_flight_share=0.5)
        async with in_process(config) as client:
            gate = asyncio.Event()

            async def slow() -> AsyncIterator[bytes]:
                yield b'{"a":"' + b"x" * 892
                await gate.wait()
                yield b'"}'

            held = [asyncio.create_task(client.post(**{**iterable(), "content": slow()})) for _ in range(2)]
            await asyncio.sleep(0.1)
            third = await client.post(**{**iterable(), "content": b'{"a":"' + b"x" * 892 + b'"}'})
            other = {"url": "/api/webhook/itbl/other", "headers": {**JSON, "x-api-key": "key-of-other"}}
            fourth = await client.post(**other, content=b'{"a":"' + b"x" * 892 + b'"}')
            gate.set()
            first = [answer.status_code for answer in await asyncio.gather(*held)]
            fifth = await client.post(**iterable())
            return first, [third.status_code, fourth.status_code, fifth.status_code]

    assert run(scenario()) == ([202, 202], [503, 202, 202])


@contextlib.asynccontextmanager
async def stalled(client: httpx.AsyncClient, *requests: dict[str, Any]) -> AsyncIterator[None]:
    """Requests whose bodies lack their last byte while the block runs."""
    gate = asyncio.Event()

    async def slow(content: bytes) -> AsyncIterator[bytes]:
        yield content[:-1]
        await gate.wait()
        yield content[-1:]

    sent = [asyncio.create_task(client.request("POST", **{**one, "content": slow(one["content"])})) for one in requests]
    await asyncio.sleep(0.1)
    try:
        yield
    finally:
        gate.set()
        await asyncio.gather(*sent)


def unsigned(slug: str) -> dict[str, Any]:
    headers = {**JSON, "x-chameleon-signature": "00"}
    return {"url": f"/api/webhook/chameleon/{slug}", "content": b"x" * 1000, "headers": headers}


@pytest.mark.parametrize("slug", ["acme", "no-such-org"])
def test_senders_without_a_credential_take_no_memory_from_those_with_one(base: Path, slug: str) -> None:
    signed = b'{"id":"1","sent_at":"2026-01-05T00:00:00Z","kind":"ping"}'
    chameleon = {"url": CHAMELEON, "content": signed, "headers": {**JSON, "x-chameleon-signature": sign(signed)}}

    async def scenario() -> list[int]:
        config = settings(base, body_bytes=1000, in_flight_bytes=2000, unverified_bytes=3000)
        async with in_process(config) as client:
            async with stalled(client, *[unsigned(slug)] * 20):
                busy = [await client.post(**one) for one in (iterable(), chameleon)]
                strangers = [await client.post(**unsigned(one)) for one in ("acme", "no-such-org")]
            after = await client.post(**chameleon)
        return [one.status_code for one in (*busy, *strangers, after)]

    # The stranger cannot tell either from its answer whether there is such an org. What is left of an address's share
    # is enough for the small signed body.
    assert run(scenario()) == [202, 202, 503, 503, 202]


def test_a_signed_body_is_the_orgs_own_once_its_signature_holds(base: Path) -> None:
    signed = b'{"id":"1","sent_at":"2026-01-05T00:00:00Z","kind":"ping"}'
    chameleon = {"url": CHAMELEON, "content": signed, "headers": {**JSON, "x-chameleon-signature": sign(signed)}}
    held = iterable(b'{"a":"' + b"x" * 972 + b'"}')

    async def scenario() -> tuple[int, int]:
        config = settings(base, body_bytes=1000, in_flight_bytes=2000, unverified_bytes=3000)
        async with in_process(config) as client:
            async with stalled(client, held):
                busy = await client.post(**chameleon)
            return busy.status_code, (await client.post(**chameleon)).status_code

    assert run(scenario()) == (503, 202)


def test_an_anonymous_body_takes_no_memory_from_known_senders_either(base: Path) -> None:
    anonymous = {"url": "/api/webhook/itbl/open-org", "content": b"x" * 1000, "headers": JSON}

    async def scenario() -> list[int]:
        config = settings(base, body_bytes=1000, in_flight_bytes=2000, unverified_bytes=1000)
        async with in_process(config) as client, stalled(client, *[anonymous] * 5):
            return [(await client.post(**one)).status_code for one in (iterable(), anonymous)]

    assert run(scenario()) == [202, 503]


def large(size: int, **changes: Any) -> dict[str, Any]:
    """An event of `size` bytes."""
    head = json.dumps(iterable_body(a=0)).encode()[:-3]
    return iterable(head + b'"' + b"x" * (size - len(head) - 5) + b'"}}', **changes)


def test_large_bodies_of_an_org_are_few_at_a_time_and_others_pass(base: Path) -> None:
    other = {"url": "/api/webhook/itbl/other", "headers": {**JSON, "x-api-key": "key-of-other"}}

    async def scenario() -> list[int]:
        config = settings(base, large_body_bytes=10_000, org_large_bodies=2)
        async with in_process(config) as client:
            async with stalled(client, *[large(20_000)] * 2):
                busy = [await client.post(**one) for one in (large(20_000), iterable(), {**large(20_000), **other})]
            after = await client.post(**large(20_000))
        assert busy[0].headers["retry-after"]
        return [one.status_code for one in (*busy, after)]

    assert run(scenario()) == [429, 202, 202, 202]


def test_a_large_body_costs_as_much_of_the_rate_as_it_takes_to_read(base: Path) -> None:
    answers, _, _ = exchange(
        base, [large(54_000), large(54_000), iterable()], org_requests_per_second=0.1, org_burst=60
    )
    assert [answer.status_code for answer in answers] == [202, 429, 202]
    assert int(answers[1].headers["retry-after"]) > 300

    async def chunks() -> AsyncIterator[bytes]:
        yield large(54_000)["content"]

    # A length that is not declared is charged once it is known, as a debt.
    again = [{**iterable(), "content": chunks()}, {**iterable(), "content": chunks()}, iterable()]
    answers, _, _ = exchange(base, again, org_requests_per_second=0.1, org_burst=60)
    assert [answer.status_code for answer in answers] == [202, 202, 429]


@pytest.mark.serial
def test_between_two_large_bodies_small_ones_have_their_turn(base: Path) -> None:
    async def scenario() -> tuple[list[int], list[float], float]:
        async with in_process(settings(base, org_large_bodies=8)) as client:
            begun = time.perf_counter()
            await client.post(**large(600_000))
            alone = time.perf_counter() - begun
            flood = [asyncio.create_task(client.post(**large(600_000))) for _ in range(8)]
            waits = []
            while not all(one.done() for one in flood):
                begun = time.perf_counter()
                assert (await client.post(**iterable())).status_code == 202
                waits.append(time.perf_counter() - begun)
            return [one.result().status_code for one in flood], waits, alone

    statuses, waits, alone = run(scenario())
    assert statuses == [202] * 8
    assert len(waits) > 16, "more than a turn between two"
    assert sorted(waits)[len(waits) // 2] < alone


def test_uploads_that_nobody_goes_on_with_make_room_for_others(base: Path) -> None:
    signed = json.dumps(
        {"id": "c", "sent_at": "2026-01-05T12:00:00Z", "kind": "ping", "data": {"x": "y" * 900}}
    ).encode()
    chameleon = {"url": CHAMELEON, "content": signed, "headers": {**JSON, "x-chameleon-signature": sign(signed)}}
    idle = {"url": "/api/webhook/chameleon/no-such-org", "content": b"x" * 1000,
            "headers": {**JSON, "x-chameleon-signature": "0" * 64}}  # fmt: skip

    async def scenario() -> list[int]:
        config = settings(base, body_bytes=1000, in_flight_bytes=2000, unverified_bytes=8000)
        async with in_process(config) as client, stalled(client, *[idle] * 8):
            await asyncio.sleep(GRACE_SECONDS + 0.1)
            return [(await client.post(**chameleon)).status_code for _ in range(3)]

    assert run(scenario()) == [202, 202, 202]


def from_address(client: httpx.AsyncClient, address: str) -> httpx.AsyncClient:
    """A client of the same application at another address."""
    app = client._transport.app
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=(address, 9)), base_url="http://collector")


def signed(size: int) -> dict[str, Any]:
    event = {"id": "c", "sent_at": "2026-01-05T12:00:00Z", "kind": "ping", "data": {"x": "y" * (size - 90)}}
    content = json.dumps(event).encode()
    return {"url": CHAMELEON, "content": content, "headers": {**JSON, "x-chameleon-signature": sign(content)}}


def test_uploads_of_one_address_leave_room_for_others_at_once(base: Path) -> None:
    async def scenario() -> list[int]:
        config = settings(base, body_bytes=1000, in_flight_bytes=2000, unverified_bytes=8000)
        uploads = [unsigned(f"org-{number}") for number in range(50)]
        async with (
            in_process(config) as client,
            from_address(client, "192.0.2.1") as attacker,
            stalled(attacker, *uploads),
        ):
            return [(await client.post(**signed(900))).status_code for _ in range(3)]

    assert run(scenario()) == [202, 202, 202]


@pytest.mark.serial
@pytest.mark.parametrize("address", ["192.0.2.1", "127.0.0.1"], ids=["another address", "the same address"])
def test_uploads_that_go_on_by_a_byte_now_and_then_make_room_too(base: Path, address: str) -> None:
    """Such a body was never idle: eight shut the source for every org until their time was over."""

    async def trickle() -> AsyncIterator[bytes]:
        yield b"x" * 900
        for _ in range(90):
            await asyncio.sleep(0.02)
            yield b"x"

    async def scenario() -> list[int]:
        config = settings(base, body_bytes=1000, in_flight_bytes=2000, unverified_bytes=3000)
        async with in_process(config) as client, from_address(client, address) as attacker:
            request = unsigned("no-such-org")
            sent = [asyncio.create_task(attacker.post(**{**request, "content": trickle()})) for _ in range(20)]
            await asyncio.sleep(GRACE_SECONDS + 0.1)
            found = [(await client.post(**signed(900))).status_code for _ in range(3)]
            for one in sent:
                one.cancel()
            await asyncio.gather(*sent, return_exceptions=True)
            return found

    assert run(scenario()) == [202, 202, 202]


def test_anonymous_bodies_take_neither_the_turns_nor_the_memory_of_the_orgs_known_senders() -> None:
    memory = Memory(Limits(body_bytes=10, in_flight_bytes=100, unverified_bytes=30, org_large_bodies=1))
    assert memory.hold(f"acme{ANONYMOUS}", 25)
    assert not memory.hold(f"acme{ANONYMOUS}", 1)
    assert memory.hold("acme", 50)
    assert memory.begin_large(f"acme{ANONYMOUS}")
    assert not memory.begin_large(f"acme{ANONYMOUS}")
    assert memory.begin_large("acme")
