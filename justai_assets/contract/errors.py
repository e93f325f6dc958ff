"""What every error of the platform carries: a stable code, whether to try again, and what the reader can do."""

from __future__ import annotations

from typing import Any


class JustAIError(Exception):
    """An error that says what happened, where, and what to do.

    Attributes:
        code: stable identifier, lower snake case; safe to match on. A subclass has its own, and so has every place
            that raises this class itself.
        transient: True when trying again unchanged may succeed (network, throttling, a concurrent commit).
        mend: what the reader can do, one sentence.

    The message never contains a secret, an email, or a record's content.
    """

    code: str = "justai_error"
    transient = False

    def __init__(self, message: str, *, code: str = "", mend: str = "") -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.mend = mend

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive a pipe between processes, whatever a subclass asks of its constructor."""
        return _restored, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        """The message, then the mend."""
        message = super().__str__()
        return f"{message} ({self.mend})" if self.mend else message


def _restored(kind: type[JustAIError], arguments: tuple[Any, ...], attributes: dict[str, Any]) -> JustAIError:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(attributes)
    return error


class UsageError(JustAIError):
    """A command or call that was given what it cannot take; the command line exits with 2."""

    code = "usage"


class ContractError(JustAIError):
    """Rows or columns that break the contract of a table; nothing was written."""

    code = "contract"


class StorageError(JustAIError):
    """A root URL or an object that cannot be used."""

    code = "storage"


class TransientStorageError(StorageError):
    """A storage call that may succeed when repeated."""

    code = "storage_transient"
    transient = True
