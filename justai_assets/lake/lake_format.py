"""The format of a table's days: what an older and a newer version of this package have to agree on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from justai_assets.contract.errors import StorageError

FORMAT: Final = 1
"""Raise it when days are written in a way that the version before would read wrongly."""

FORMAT_KEY: Final = "justai.lakeFormat"
"""The property of a Delta table that holds it; tables from before it have none, and are of format 1."""


class LakeFormatError(StorageError):
    """A table that another version of this package made, in a way that this one does not know."""

    code = "lake_format"


def check_format(name: str, properties: Mapping[str, str | None]) -> None:
    """Refuse a table of another format, to read as to write.

    Args:
        name: the table, for the message.
        properties: the table's Delta properties.

    Raises:
        LakeFormatError: of another format.
    """
    found = properties.get(FORMAT_KEY) or "1"
    if found != str(FORMAT):
        raise LakeFormatError(
            f"{name} has lake format {found}; this version of justai_assets reads and writes format {FORMAT}, and "
            "nothing was written",
            mend="install the version that wrote it, or name another lake in JUSTAI_LAKE and build the days there",
        )
