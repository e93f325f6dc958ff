"""Counters that every worker may add to and any worker can report, without a lock.

Each process owns one memory-mapped file and is its only writer; whoever answers /metrics adds the files up. A worker's
file outlives it, so that a counter never goes back while the collector runs.

A file is a sequence of entries `key length (2) · key · padding to 8 bytes · value (8)`, closed by a key length of 0.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

FILE_BYTES = 8 << 20
RESERVED_BYTES = 64 << 10
"""Disk space taken at a time. Memory is only touched where the disk has given its word: writing into a hole of a full
disk kills the process."""
SUFFIX = ".counts"
OVERFLOW = "overflow"
"""Keys are bounded by orgs x doors x fates; those past the file's end, or new on a full disk, share this one."""
_LENGTH = struct.Struct("<H")


def _value_at(start: int, key_length: int) -> int:
    return (start + _LENGTH.size + key_length + 7) // 8 * 8


def _mapped(file: Path) -> mmap.mmap:
    """A new file of counters, with the disk's word for its beginning."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, RESERVED_BYTES)
        os.ftruncate(descriptor, FILE_BYTES)
        return mmap.mmap(descriptor, FILE_BYTES)
    finally:
        os.close(descriptor)


class Counters:
    """The counters of this process; keys are texts, values whole numbers that only grow."""

    def __init__(self, file: Path) -> None:
        self._take(_mapped(file), RESERVED_BYTES)
        self.file = file

    @classmethod
    def in_any_case(cls, file: Path) -> Counters:
        """Counters in a file, or in this process's memory where the file cannot be made.

        A request must have its answer also where nothing can be counted. Nobody else sees counts in memory.
        """
        try:
            return cls(file)
        except OSError:
            found = cls.__new__(cls)
            found._take(mmap.mmap(-1, FILE_BYTES), FILE_BYTES)
            found.file = file
            return found

    def _take(self, content: mmap.mmap, reserved: int) -> None:
        self._map, self._reserved = content, reserved
        self._values = memoryview(self._map).cast("Q")
        self._slots: dict[str, int] = {}
        self._end = 0
        self._new(OVERFLOW)

    def add(self, key: str, amount: int = 1) -> None:
        """Add to a counter; the first time makes it."""
        self._values[self.slot(key)] += amount

    def slot(self, key: str) -> int:
        """Where a counter is; with `add_at` it need not be looked up by name each time."""
        slot = self._slots.get(key)
        return self._new(key) if slot is None else slot

    def add_at(self, slot: int, amount: int = 1) -> None:
        """Add to the counter at a slot."""
        self._values[slot] += amount

    def get(self, key: str) -> int:
        """This process's value of a counter."""
        slot = self._slots.get(key)
        return 0 if slot is None else self._values[slot]

    def _new(self, key: str) -> int:
        name = key.encode()
        at = _value_at(self._end, len(name))
        if not self._reserve(at + 8 + _LENGTH.size):
            return self._slots.setdefault(key, self._slots[OVERFLOW])
        start = self._end
        self._map[start + _LENGTH.size : start + _LENGTH.size + len(name)] = name
        # The length comes last: a reader sees an entry whole or not at all.
        _LENGTH.pack_into(self._map, start, len(name))
        self._end = at + 8
        self._slots[key] = at // 8
        return at // 8

    def _reserve(self, end: int) -> bool:
        """Whether the file has room up to an offset, the closing length of a last entry included."""
        if end > FILE_BYTES:
            return False
        while self._reserved < end:
            try:
                descriptor = os.open(self.file, os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                return False
            try:
                os.posix_fallocate(descriptor, self._reserved, RESERVED_BYTES)
            except OSError:
                # Whatever the disk says: the count goes to the key that all share.
                return False
            finally:
                os.close(descriptor)
            self._reserved += RESERVED_BYTES
        return True


class PatientCounters:
    """Counters that do without their file while the disk is full.

    For the sealer: it is what makes room again, so a full disk must not keep it from starting.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._counters: Counters | None = None
        self._waiting: Counter[str] = Counter()

    def add(self, key: str, amount: int = 1) -> None:
        """Add to a counter; it is in the file once there is room for one."""
        self._waiting[key] += amount
        try:
            self._counters = self._counters or Counters(self._file)
        except OSError:
            return
        for name, value in self._waiting.items():
            self._counters.add(name, value)
        self._waiting.clear()


class CounterReader:
    """Another process's counters, read as they grow."""

    def __init__(self, file: Path) -> None:
        with file.open("rb") as opened:
            self._map = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        self._values = memoryview(self._map).cast("Q")
        self._slots: dict[str, int] = {}
        self._end = 0

    def items(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Each counter whose key starts with the prefix, and its value now."""
        while self._end + _LENGTH.size <= len(self._map):
            (length,) = _LENGTH.unpack_from(self._map, self._end)
            if length == 0:
                break
            name = self._map[self._end + _LENGTH.size : self._end + _LENGTH.size + length].decode()
            at = _value_at(self._end, length)
            self._slots[name] = at // 8
            self._end = at + 8
        for name, slot in self._slots.items():
            if name.startswith(prefix):
                yield name, self._values[slot]


def total(folder: Path) -> Counter[str]:
    """The sum over every file of a folder."""
    found: Counter[str] = Counter()
    for file in sorted(folder.glob(f"*{SUFFIX}")):
        # A file that cannot be read now is left out: the others say what they know.
        with suppress(OSError):
            if file.stat().st_size:
                found.update(dict(CounterReader(file).items()))
    return found
