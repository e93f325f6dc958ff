"""A door: one POST becomes one journal record, or an answer that says why not.

The order of the questions is fixed. Is the org's file in order? Who is it (headers)? May it send now? Is it small
enough? Who is it (signature over the body)? Is it an event? Only then is anything written, and only what is written is
answered with 2xx.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from justai_assets.collector.bodies import STATUS, RefusedBodyError, parse, values_of
from justai_assets.collector.credentials import Verdict
from justai_assets.collector.heads import is_json, query_parameters
from justai_assets.collector.journal import JournalUnavailableError
from justai_assets.collector.memory import ANONYMOUS, UNVERIFIED
from justai_assets.collector.patience import SlowSenderError
from justai_assets.collector.rates import cost_of
from justai_assets.collector.records import tag_of
from justai_assets.collector.shapes import refuse_wrong_shape
from justai_assets.collector.worker import Worker
from justai_assets.landing.envelopes_write import envelope_line, rejected_line, timestamp
from justai_assets.landing.event_time import filed_under
from justai_assets.landing.identity import event_id

SIGNED: Final = "chameleon_webhooks"
"""The door whose sender is known by a signature over the body, and so only once the body is read."""

SMALL_BYTES: Final = 2048
"""A body up to this length has no structure worth counting."""
LARGE_VALUES: Final = 500
"""A body of more values is parsed in turn, as a large one."""

_ERRORS: Final = {
    "unauthorized": "unauthorized",
    "rate_limited": "too many requests",
    "unavailable": "try again later",
    "timed_out": "the body did not arrive in time",
    "disconnected": "the body is not complete",
}
_JSON: Final = (b"content-type", b"application/json")
_encode = msgspec.json.Encoder().encode


class _AnswerError(Exception):
    """A request that gets an answer without a record: fate and status."""

    def __init__(self, fate: str, status: int, *, reason: str = "", retry_after: float = 0.0) -> None:
        super().__init__(fate)
        self.fate = fate
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


REFUSAL_SECONDS: Final = 0.1
"""How long a refusal waits once its address has had its share of them."""


class DoorEndpoint:
    """The ASGI application of one door, for every org."""

    def __init__(self, name: str, worker: Callable[[], Worker]) -> None:
        self._name = name
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await _Request(self._name, self._worker(), scope, receive).answer(send)


class _Request:
    """One request on its way through a door."""

    def __init__(self, name: str, worker: Worker, scope: Scope, receive: Receive) -> None:
        self._name = name
        self._worker = worker
        self._scope = scope
        self._receive = receive
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._begun = worker.monotonic()
        self._door = worker.directory.find(name, scope["path_params"]["org_slug"])
        self._owner = UNVERIFIED
        self._held = 0
        self._size = 0
        self._is_large = False
        self._payer = ""
        self._address: str = scope["client"][0] if scope.get("client") else ""

    async def answer(self, send: Send) -> None:
        extra: list[tuple[bytes, bytes]] = []
        reason = ""
        try:
            fate, status, reason, body = await self._pass()
        except _AnswerError as error:
            fate, status, reason = error.fate, error.status, error.reason
            body = _encode({"error": _ERRORS.get(fate, reason)})
            if error.retry_after:
                extra.append((b"retry-after", str(max(1, round(error.retry_after + 0.5))).encode()))
        except SlowSenderError:
            fate, status, body = "timed_out", 408, _encode({"error": _ERRORS["timed_out"]})
        except JournalUnavailableError:
            fate, status, body = "unavailable", 503, _encode({"error": _ERRORS["unavailable"]})
            extra.append((b"retry-after", str(self._worker.config.retry_after_seconds).encode()))
        finally:
            if self._held:
                self._worker.memory.release(self._owner, self._held, self._address)
            if self._is_large:
                self._worker.memory.end_large(self._owner)
        worker = self._worker
        self._scope["justai.settled"] = True
        worker.accounts.settle(
            fate,
            door=self._name,
            org=self._door.label,
            reason=reason,
            status=status,
            size=self._size,
            seconds=worker.monotonic() - self._begun,
            at=worker.now().timestamp(),
        )
        if fate == "disconnected":
            # As a rule nobody is there to read it. A sender whose chunks make no sense is, and it is its mistake.
            status, body = 400, _encode({"error": _ERRORS[fate]})
        if fate == "unauthorized" and worker.refusals.take(self._address, worker.monotonic()):
            # Whoever tries credentials is slowed down: nothing else limits what a stranger takes of the processors.
            await asyncio.sleep(REFUSAL_SECONDS)
        headers = [_JSON, (b"content-length", str(len(body)).encode()), *extra]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _pass(self) -> tuple[str, int, str, bytes]:
        """Fate, status, reason and answer of a request that leaves a record."""
        door, worker = self._door, self._worker
        if door.is_out_of_order:
            raise _AnswerError("unavailable", 503, retry_after=worker.config.retry_after_seconds)
        verdict = self._identify_by_headers()
        refusal, declared = self._refusal_of_head()
        paid = 0
        if self._name != SIGNED:
            # A body that is declared too large is not read, and costs no more than its head.
            # Whoever shows no credential has a bucket apart: strangers cannot use up what the org itself may send.
            self._payer = f"{door.slug}" if verdict is Verdict.KNOWN else f"{door.slug}{ANONYMOUS}"
            paid = self._admit(declared if declared <= worker.config.limits.body_bytes else 0)
            if verdict is Verdict.KNOWN:
                self._own(declared)
        raw, too_large = await self._read(declared)
        if too_large:
            refusal = "body_too_large"
        if self._name == SIGNED:
            if too_large:
                raise _AnswerError("unverifiable", 413, reason=refusal or "")
            verdict = door.credentials.of_signature(raw, self._headers.get(b"x-chameleon-signature"))
            if verdict is Verdict.REFUSED or door.slug is None:
                raise _AnswerError("unauthorized", 401)
            self._payer = door.slug
            paid = self._admit(self._size)
        values = values_of(raw) if self._size > SMALL_BYTES else 0
        if (more := cost_of(self._size, values) - paid) > 0:
            self._charge(more)
        self._own(self._size, values)
        assert door.slug is not None
        received = worker.now()
        received_at = timestamp(received)
        receipt = f"{received_at} {worker.journal.receipt()}"
        query = query_parameters(self._scope["query_string"][: worker.config.limits.query_bytes])
        is_known = verdict is Verdict.KNOWN
        if refusal is None:
            try:
                identity, day = await self._in_turn(raw, receipt, received)
            except RefusedBodyError as error:
                refusal = error.reason
        if refusal is not None:
            status = STATUS[refusal]
            if not is_known:
                # Whoever knows an open org's slug could fill its quarantine with anything.
                raise _AnswerError("discarded", status, reason=refusal)
            line = rejected_line(
                receipt,
                received_at,
                query,
                raw,
                reason=refusal,
                status=status,
                content_type=self._headers.get(b"content-type", b"").decode("latin-1")[:256],
                length=declared,
            )
            await worker.journal.append(tag_of(self._name, door.slug, None), line)
            return "rejected", status, refusal, _encode({"error": refusal})
        line = envelope_line(identity, received_at, query, raw, authenticated=is_known)
        del raw  # while the disk is waited for, one copy is enough
        await worker.journal.append(tag_of(self._name, door.slug, day), line)
        return ("undated" if day is None else "accepted"), 202, "", b'{"id":%b}' % _encode(identity)

    async def _in_turn(self, raw: bytes, receipt: str, received: datetime) -> tuple[str, date | None]:
        """`_identify`, for large bodies one at a time.

        Decoding one keeps every other request waiting; so the others have as long after it.
        """
        worker = self._worker
        if not self._is_large:
            return self._identify(raw, receipt, received)
        async with worker.large_turn:
            await asyncio.sleep(0)
            begun = worker.monotonic()
            try:
                return self._identify(raw, receipt, received)
            finally:
                await asyncio.sleep(worker.monotonic() - begun)

    def _identify(self, raw: bytes, receipt: str, received: datetime) -> tuple[str, date | None]:
        """The event's id and the day it is filed under. What the body was decoded to ends here: it may be large."""
        body, form = parse(raw, self._worker.config.limits.json_depth)
        refuse_wrong_shape(self._name, body)
        identity = event_id(self._name, body, receipt, canonical_body=form)
        return identity, filed_under(self._name, body, received, self._door.start)

    def _identify_by_headers(self) -> Verdict:
        headers = self._headers
        if self._name == SIGNED:
            if b"x-chameleon-signature" not in headers:
                raise _AnswerError("unauthorized", 401)
            return Verdict.REFUSED  # until the body is here
        authorization = headers.get(b"authorization") if self._name == "iterable_webhooks" else None
        verdict = self._door.credentials.of_headers(headers.get(b"x-api-key"), authorization)
        if verdict is Verdict.REFUSED or self._door.slug is None:
            raise _AnswerError("unauthorized", 401)
        return verdict

    def _admit(self, size: int) -> int:
        """Take the tokens that a body of this size costs from the org's rate; how many those are."""
        worker = self._worker
        cost = cost_of(size)
        wait = worker.rates.take(self._payer, worker.monotonic(), cost)
        if wait:
            raise _AnswerError("rate_limited", 429, retry_after=wait)
        worker.accounts.admitted(self._payer, cost)
        return cost

    def _charge(self, tokens: int) -> None:
        """Take tokens for a body that was longer than its head said, or holds more than its length shows."""
        worker = self._worker
        worker.rates.charge(self._payer, worker.monotonic(), tokens)
        worker.accounts.admitted(self._payer, tokens)

    def _own(self, size: int, values: int = 0) -> None:
        """Charge what is held to who pays; a large body takes one of the payer's turns."""
        memory = self._worker.memory
        if self._owner == UNVERIFIED:
            if self._held and not memory.hold(self._payer, self._held):
                raise _AnswerError("unavailable", 503, retry_after=1.0)
            if self._held:
                memory.release(UNVERIFIED, self._held, self._address)
            self._owner = self._payer
        is_large = size > self._worker.config.limits.large_body_bytes or values > LARGE_VALUES
        if is_large and not self._is_large:
            if not memory.begin_large(self._payer):
                raise _AnswerError("rate_limited", 429, retry_after=1.0)
            self._is_large = True

    def _refusal_of_head(self) -> tuple[str | None, int]:
        """Why the head alone rules the request out, and the declared length of its body (0 when it has none)."""
        headers, limits = self._headers, self._worker.config.limits
        text = headers.get(b"content-length", b"")
        declared = int(text) if text.isdigit() and len(text) < 19 else 0
        if len(self._scope["query_string"]) > limits.query_bytes:
            return "query_too_long", declared
        if headers.get(b"content-encoding", b"identity").strip().lower() not in {b"identity", b""}:
            return "content_encoding", declared
        if not is_json(headers.get(b"content-type")):
            return "content_type", declared
        return None, declared

    async def _read(self, declared: int) -> tuple[bytes, bool]:
        """The body, and whether it is too large; of one that is, what was read of it."""
        worker, limits = self._worker, self._worker.config.limits
        if worker.journal.full:
            raise JournalUnavailableError("the disk under the journal is full")
        if declared > limits.body_bytes:
            return b"", True
        body: bytes | bytearray = b""
        with worker.patience.with_sender():
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise _AnswerError("disconnected", 0)
                chunk = message.get("body", b"")
                if chunk:
                    self._size += len(chunk)
                    fits = worker.memory.hold(self._owner, len(chunk), self._address)
                    if not fits and not await self._make_room(len(chunk)):
                        raise _AnswerError("unavailable", 503, retry_after=1.0)
                    self._held += len(chunk)
                    if self._owner == UNVERIFIED:
                        worker.patience.is_unverified(self._address)
                    else:
                        self._own(self._size)
                    # One buffer: a list of two-byte chunks takes twenty times what it holds.
                    body = chunk if not body else _joined(body, chunk)
                if self._size > limits.body_bytes or not message.get("more_body", False):
                    return bytes(body), self._size > limits.body_bytes

    async def _make_room(self, size: int) -> bool:
        """Hold bytes of an unverified body in the place of older ones, if there are any.

        Those of the same address where it holds all that it may, otherwise of the one that holds the most. A few
        uploads that never end would otherwise shut the source for every org.
        """
        memory, patience = self._worker.memory, self._worker.patience
        while self._owner == UNVERIFIED:
            full = not memory.address_has_room(self._address, size)
            if not patience.give_up_oldest(self._address if full else memory.heaviest_address()):
                return False
            # The one that was given up lets its bytes go when it has its turn.
            for _ in range(3):
                await asyncio.sleep(0)
            if memory.hold(UNVERIFIED, size, self._address):
                return True
        return False


def _joined(body: bytes | bytearray, chunk: bytes) -> bytearray:
    buffer = body if isinstance(body, bytearray) else bytearray(body)
    buffer += chunk
    return buffer
