"""Small text files that a person names: org files and secrets. What is no such file is said, and never waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class OddFileError(Exception):
    """A file that is none of ours to read: its words follow on "the file"."""


def read_small_text(path: Path, most: int) -> str:
    """The text of a regular file, or of a link to one.

    Args:
        path: the file.
        most: bytes that it may have.

    Raises:
        OddFileError: a pipe, a device, a socket or a folder, or more than `most` bytes.
        OSError, UnicodeDecodeError: it cannot be read.
    """
    # Without waiting: to open a pipe that nobody writes to would never end. What is looked at is what was opened.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OddFileError("is no regular file")
        content = b"" if found.st_size > most else os.read(descriptor, most + 1)
    finally:
        os.close(descriptor)
    if found.st_size > most or len(content) > most:
        raise OddFileError(f"is larger than {most >> 20} MiB")
    return content.decode()
