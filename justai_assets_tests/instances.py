"""What Dagster's instances do anew each time, and the suite's thousand instances need only once. What they hold is the same."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest


def make_instances_cheap(patch: pytest.MonkeyPatch) -> None:
    """Read the scripts of Dagster's migrations once a process, and keep an in-memory storage's connection.

    Both together are a third of what a small run costs.
    """
    from alembic.script import ScriptDirectory
    from dagster._core.storage.event_log.in_memory import InMemoryEventLogStorage
    from dagster._core.storage.runs.in_memory import InMemoryRunStorage

    read = ScriptDirectory.from_config
    by_folder = functools.cache(lambda _, config: read(config))
    patch.setattr(
        ScriptDirectory, "from_config", lambda config: by_folder(config.get_main_option("script_location"), config)
    )
    for storage, name in ((InMemoryRunStorage, "connect"), (InMemoryEventLogStorage, "_connect")):
        patch.setattr(storage, "__init__", _known_thread(storage.__init__))
        patch.setattr(storage, name, _kept(getattr(storage, name)))


def _known_thread(make: Callable[..., None]) -> Callable[..., None]:
    def made(storage: Any, *arguments: Any, **named: Any) -> None:
        storage.of_thread = threading.current_thread()
        make(storage, *arguments, **named)

    return made


def _kept(connect: Callable[[Any], AbstractContextManager[Any]]) -> Callable[[Any], AbstractContextManager[Any]]:
    """A transaction on the connection that the storage holds anyway, where it is of this thread and nothing uses it."""

    @contextmanager
    def connected(storage: Any) -> Iterator[Any]:
        held = storage._held_conn
        if storage.of_thread is not threading.current_thread() or held.closed or held.in_transaction():
            with connect(storage) as other:
                yield other
            return
        with getattr(storage, "_db_lock", nullcontext()), held.begin():
            held.exec_driver_sql("PRAGMA foreign_keys=ON;").close()
            yield held

    return connected
