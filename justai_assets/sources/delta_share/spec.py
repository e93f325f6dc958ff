"""A Delta Share as a source: its section of the org file. Nothing of it lands: the provider's server is asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field

from justai_assets.orgs.extra_columns import ExtraColumns
from justai_assets.orgs.secrets import SecretRef, reference_of
from justai_assets.sources.source import Asked, ConnectText, Source, SourceSettings

if TYPE_CHECKING:
    from justai_assets.connect.customer import Customer


def _check_table(text: str) -> str:
    if not re.fullmatch(r"[^./\s]+\.[^./\s]+\.[^./\s]+", text):
        raise ValueError("must be share.schema.table, three names with dots between")
    return text


class DeltaShare(SourceSettings):
    """A Delta Sharing table or view in the unified model.

    Attributes:
        profile: reference to the credential file.
        table: share.schema.table.
        extra_columns: as in a drop.
    """

    profile: SecretRef
    table: Annotated[str, AfterValidator(_check_table)]
    extra_columns: ExtraColumns = Field(default_factory=dict)

    @property
    def rule(self) -> list[Any]:
        """The table that is read."""
        return [self.table]


def _section(asked: Asked) -> dict[str, Any]:
    return {"profile": reference_of(asked.slug, "SHARE"), "table": asked.share_table or ""}


def _values(customer: Customer) -> dict[str, Any]:
    from justai_assets.sources.delta_share.connect import values

    return values(customer)


SHARE: Final = Source(
    name="delta_share",
    contents=("unified_events",),
    settings=DeltaShare,
    section=_section,
    asks=("share_table",),
    connect=ConnectText(__package__, values=_values),
)
