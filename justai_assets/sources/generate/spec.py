"""The Generate API's send records as a source. Every org with templates has it; the org file says nothing of it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from justai_assets.sources.source import JSON_LINES, Body, EnvelopeReader, Envelopes, Landing, Source


def _called_at(_: Body, received_at: datetime) -> datetime:
    return received_at


def _reader() -> EnvelopeReader:
    from justai_assets.sources.generate import parse

    return EnvelopeReader(parse.BODY, parse.typed)


GENERATE: Final = Source(
    name="generate",
    contents=("served_copies",),
    landing=Landing("generate", JSON_LINES, "generate_records", "json"),
    envelopes=Envelopes(_reader, _called_at),
    # Nobody has to call Generate.
    is_expected=False,
)
"""Without `settings` no org file has a section for it."""
