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

from justai_assets.landing.envelope_writer import envelope_line, rejected_line, timestamp
from justai_assets.landing.event_id import event_id
from justai_assets.landing.filing_day import filed_under
from justai_assets.serving.body_deadlines import SlowSenderError
from justai_assets.serving.body_memory import ANONYMOUS
from justai_assets.serving.body_schema import refuse_wrong_shape
from justai_assets.serving.credentials import Verdict
from justai_assets.serving.journal.journal_writer import JournalUnavailableError
from justai_assets.serving.journal.record_format import tag_of
from justai_assets.serving.rate_limits import cost_of
from justai_assets.serving.request_body import AnswerError, RequestBody
from justai_assets.serving.request_head import is_json, query_parameters
from justai_assets.serving.request_json import STATUS, RefusedBodyError, parse, values_of
from justai_assets.serving.worker import Worker
from justai_assets.sources.source import Http

SMALL_BYTES: Final = 2048
"""A body up to this length has no structure worth counting."""

_ERRORS: Final = {
    "unauthorized": "unauthorized",
    "rate_limited": "too many requests",
    "unavailable": "try again later",
    "timed_out": "the body did not arrive in time",
    "disconnected": "the body is not complete",
}
_JSON: Final = (b"content-type", b"application/json")
_encode = msgspec.json.Encoder().encode


REFUSAL_SECONDS: Final = 0.1
"""How long a refusal waits once its address has had its share of them."""


class DoorEndpoint:
    """The ASGI application of one door, for every org."""

    def __init__(self, name: str, http: Http, worker: Callable[[], Worker]) -> None:
        self._name = name
        self._http = http
        # In the form in which a request's headers are looked up.
        self._signature = http.signature.lower().encode()
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await _Request(self._name, self._http, self._signature, self._worker(), scope, receive).answer(send)


class _Request:
    """One request on its way through a door."""

    def __init__(self, name: str, http: Http, signature: bytes, worker: Worker, scope: Scope, receive: Receive) -> None:
        self._name = name
        self._http = http
        self._signature = signature
        self._worker = worker
        self._scope = scope
        self._receive = receive
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._begun = worker.monotonic()
        self._door = worker.directory.find(name, scope["path_params"]["org_slug"])
        self._payer = ""
        self._address: str = scope["client"][0] if scope.get("client") else ""
        self._body = RequestBody(worker, self._address)

    async def answer(self, send: Send) -> None:
        extra: list[tuple[bytes, bytes]] = []
        reason = ""
        try:
            fate, status, reason, body = await self._pass()
        except AnswerError as error:
            fate, status, reason = error.outcome, error.status, error.reason
            body = _encode({"error": _ERRORS.get(fate, reason)})
            if error.retry_after:
                extra.append((b"retry-after", str(max(1, round(error.retry_after + 0.5))).encode()))
        except SlowSenderError:
            fate, status, body = "timed_out", 408, _encode({"error": _ERRORS["timed_out"]})
        except JournalUnavailableError:
            fate, status, body = "unavailable", 503, _encode({"error": _ERRORS["unavailable"]})
            extra.append((b"retry-after", str(self._worker.config.retry_after_seconds).encode()))
        finally:
            self._body.release()
        worker = self._worker
        self._scope["justai.settled"] = True
        worker.accounts.settle(
            fate,
            door=self._name,
            org=self._door.label,
            reason=reason,
            status=status,
            size=self._body.size,
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
            raise AnswerError("unavailable", 503, retry_after=worker.config.retry_after_seconds)
        verdict = self._identify_by_headers()
        refusal, declared = self._refusal_of_head()
        paid = 0
        # A sender who signs the body is known only once the body is read.
        if not self._signature:
            # A body that is declared too large is not read, and costs no more than its head.
            # Whoever shows no credential has a bucket apart: strangers cannot use up what the org itself may send.
            self._payer = f"{door.slug}" if verdict is Verdict.KNOWN else f"{door.slug}{ANONYMOUS}"
            paid = self._admit(declared if declared <= worker.config.limits.body_bytes else 0)
            if verdict is Verdict.KNOWN:
                self._body.own(self._payer, declared)
        raw, too_large = await self._body.read(self._receive, declared)
        if too_large:
            refusal = "body_too_large"
        if self._signature:
            if too_large:
                raise AnswerError("unverifiable", 413, reason=refusal or "")
            verdict = door.credentials.of_signature(raw, self._headers.get(self._signature))
            if verdict is Verdict.REFUSED or door.slug is None:
                raise AnswerError("unauthorized", 401)
            self._payer = door.slug
            paid = self._admit(self._body.size)
        values = values_of(raw) if self._body.size > SMALL_BYTES else 0
        if (more := cost_of(self._body.size, values) - paid) > 0:
            self._charge(more)
        self._body.own(self._payer, self._body.size, values)
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
                raise AnswerError("discarded", status, reason=refusal)
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
        if not self._body.is_large:
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
        refuse_wrong_shape(self._http, body)
        identity = event_id(self._name, body, receipt, canonical_body=form)
        return identity, filed_under(self._name, body, received, self._door.start)

    def _identify_by_headers(self) -> Verdict:
        headers = self._headers
        if self._signature:
            if self._signature not in headers:
                raise AnswerError("unauthorized", 401)
            return Verdict.REFUSED  # until the body is here
        authorization = headers.get(b"authorization") if self._http.takes_authorization else None
        verdict = self._door.credentials.of_headers(headers.get(b"x-api-key"), authorization)
        if verdict is Verdict.REFUSED or self._door.slug is None:
            raise AnswerError("unauthorized", 401)
        return verdict

    def _admit(self, size: int) -> int:
        """Take the tokens that a body of this size costs from the org's rate; how many those are."""
        worker = self._worker
        cost = cost_of(size)
        wait = worker.rates.take(self._payer, worker.monotonic(), cost)
        if wait:
            raise AnswerError("rate_limited", 429, retry_after=wait)
        worker.accounts.admitted(self._payer, cost)
        return cost

    def _charge(self, tokens: int) -> None:
        """Take tokens for a body that was longer than its head said, or holds more than its length shows."""
        worker = self._worker
        worker.rates.charge(self._payer, worker.monotonic(), tokens)
        worker.accounts.admitted(self._payer, tokens)

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
