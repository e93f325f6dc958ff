"""The body of one request while it is in memory: who pays for it, and what has been read of it."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import Receive

from justai_assets.serving.body_memory import UNVERIFIED
from justai_assets.serving.journal.journal_writer import JournalUnavailableError
from justai_assets.serving.worker import Worker

LARGE_VALUES: Final = 500
"""A body of more values is parsed in turn, as a large one."""


class AnswerError(Exception):
    """A request that gets an answer without a record: outcome and status."""

    def __init__(self, outcome: str, status: int, *, reason: str = "", retry_after: float = 0.0) -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class RequestBody:
    """Reads a body within the limits of its payer, of its address and of everybody.

    Attributes:
        size: bytes received so far.
        is_large: whether it has one of the payer's turns for large bodies.
    """

    def __init__(self, worker: Worker, address: str) -> None:
        self.size = 0
        self.is_large = False
        self._worker = worker
        self._address = address
        self._owner = UNVERIFIED
        self._held = 0

    def release(self) -> None:
        """Give back what the body holds."""
        if self._held:
            self._worker.memory.release(self._owner, self._held, self._address)
        if self.is_large:
            self._worker.memory.end_large(self._owner)

    def own(self, payer: str, size: int, values: int = 0) -> None:
        """Charge what is held to who pays; a large body takes one of the payer's turns.

        Raises:
            AnswerError: the payer holds all that it may, or has as many large bodies as it may have.
        """
        memory = self._worker.memory
        if self._owner == UNVERIFIED:
            if self._held and not memory.hold(payer, self._held):
                raise AnswerError("unavailable", 503, retry_after=1.0)
            if self._held:
                memory.release(UNVERIFIED, self._held, self._address)
            self._owner = payer
        is_large = size > self._worker.config.limits.large_body_bytes or values > LARGE_VALUES
        if is_large and not self.is_large:
            if not memory.begin_large(payer):
                raise AnswerError("rate_limited", 429, retry_after=1.0)
            self.is_large = True

    async def read(self, receive: Receive, declared: int) -> tuple[bytes, bool]:
        """The body, and whether it is too large; of one that is, what was read of it.

        Raises:
            AnswerError: the sender has gone, or nobody has room for more.
            JournalUnavailableError: the disk under the journal is full.
            SlowSenderError: the sender took too long.
        """
        worker, limits = self._worker, self._worker.config.limits
        if worker.journal.full:
            raise JournalUnavailableError("the disk under the journal is full")
        if declared > limits.body_bytes:
            return b"", True
        body: bytes | bytearray = b""
        with worker.patience.with_sender():
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise AnswerError("disconnected", 0)
                chunk = message.get("body", b"")
                if chunk:
                    self.size += len(chunk)
                    fits = worker.memory.hold(self._owner, len(chunk), self._address)
                    if not fits and not await self._make_room(len(chunk)):
                        raise AnswerError("unavailable", 503, retry_after=1.0)
                    self._held += len(chunk)
                    if self._owner == UNVERIFIED:
                        worker.patience.is_unverified(self._address)
                    else:
                        self.own(self._owner, self.size)
                    # One buffer: a list of two-byte chunks takes twenty times what it holds.
                    body = chunk if not body else _joined(body, chunk)
                if self.size > limits.body_bytes or not message.get("more_body", False):
                    return bytes(body), self.size > limits.body_bytes

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
