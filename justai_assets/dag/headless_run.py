"""A headless run, watched: its wait for a pool is said and bounded, and a signal ends it as cancelled, holding nothing.

While Dagster waits for a slot it takes no notice of SIGTERM or SIGINT, and says nothing. In a step it raises, which a
call into native code may put off. The watch is a thread beside the run.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import dagster as dg

WAIT = "JUSTAI_POOL_WAIT_SECONDS"
WAIT_SECONDS = 600.0
GRACE_SECONDS = 10.0
"""For a step to stop by itself after a signal. A day is replaced in one commit or not at all: nothing is left half."""

POLL_SECONDS = 2.0
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def watched(
    instance: dg.DagsterInstance, run_id: str, pools: Sequence[str], say: Callable[[str], None]
) -> Iterator[None]:
    """Watch a run that the block executes in this thread.

    Args:
        instance: of the run.
        run_id: of the run, which the block creates.
        pools: which the run's steps may wait for.
        say: told what it waits for, and why it ends.

    After a signal, or a wait that is too long, the process ends with exit code 1.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        watch = _Watch(instance, run_id, pools, say, reader)
        thread = threading.Thread(target=watch.look, name=f"watch of {run_id}", daemon=True)
        handlers = {one: signal.signal(one, signal.default_int_handler) for one in SIGNALS}
        # Told of a signal whatever handler Dagster puts in place meanwhile.
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        thread.start()
        try:
            yield
        except KeyboardInterrupt:
            watch.is_stopped = True
        finally:
            watch.is_over.set()
            signal.set_wakeup_fd(before)
            writer.send(b"\0")
            thread.join(GRACE_SECONDS)
            for one, handler in handlers.items():
                signal.signal(one, handler)
    if watch.is_stopped:
        watch.cancel()
        sys.exit(1)


class _Watch:
    def __init__(
        self,
        instance: dg.DagsterInstance,
        run_id: str,
        pools: Sequence[str],
        say: Callable[[str], None],
        signals: socket.socket,
    ) -> None:
        self.instance, self.run_id, self.pools, self.say, self.signals = instance, run_id, pools, say, signals
        self.is_over, self.is_stopped = threading.Event(), False
        self.limit = float(os.environ.get(WAIT) or WAIT_SECONDS)

    def look(self) -> None:
        """Until the run is over: for signals, and for what it waits for."""
        waits_since: float | None = None
        said = ""
        while not self.is_over.is_set():
            if select.select([self.signals], [], [], POLL_SECONDS)[0] and set(self.signals.recv(64)) & set(SIGNALS):
                self.is_stopped = True
                self.say("stopping: the days that are not committed stay as they were")
                # Waiting for a slot, Dagster would not look up. In a step it raises.
                if self.waited_for() or not self.is_over.wait(GRACE_SECONDS):
                    self.end()
                return
            found = self.waited_for()
            if not found:
                waits_since, said = None, ""
                continue
            waits_since = waits_since or time.monotonic()
            if found != said:
                self.say(f"waiting for {found}, {self.limit:.0f} s at most ({WAIT})")
                said = found
            if time.monotonic() - waits_since >= self.limit:
                self.say(
                    f"gave up after {self.limit:.0f} s: waiting for {found}. Wait for that run, or cancel it; if its "
                    "process is gone, see the runbook in docs/operations.md"
                )
                self.end()

    def waited_for(self) -> str:
        """The pool that a step of this run waits for and who holds it, or ""."""
        storage = self.instance.event_log_storage
        if not storage.supports_global_concurrency_limits:
            return ""
        for pool in self.pools:
            info = storage.get_concurrency_info(pool)
            if self.run_id in info.pending_run_ids:
                holders = ", ".join(f"run {slot.run_id} ({slot.step_key})" for slot in info.claimed_slots)
                return f"a slot of pool {pool}, held by {holders or 'nobody: its limit is 0'}"
        return ""

    def cancel(self) -> None:
        """Mark the run as cancelled, and give back what it held."""
        run = self.instance.get_run_by_id(self.run_id)
        if run is not None and run.status != dg.DagsterRunStatus.CANCELED:
            self.instance.report_run_canceled(run, "Ended by a signal, or after too long a wait for a pool.")
        self.instance.event_log_storage.free_concurrency_slots_for_run(self.run_id)

    def end(self) -> None:
        """End the process from here: the main thread does not listen."""
        self.cancel()
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(1)
