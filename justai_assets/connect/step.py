"""One thing a customer does to connect a door: what, and the text to paste."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["json", "sql", "url", "header", "shell", "yaml", "python", "text"]


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        title: what is done, as an order.
        text: what must be known for it; may be empty.
        code: what is pasted; empty when there is nothing to paste.
        language: what `code` is.
    """

    title: str
    text: str = ""
    code: str = ""
    language: Language = "text"


def header_line(name: str, references: tuple[str, ...]) -> str:
    """A header that carries a secret, named by its references."""
    return f"{name}: <the secret behind {' or '.join(references)}>"


def rendered(steps: list[Step]) -> str:
    """The steps numbered, each text to paste in a fence of its own (Markdown)."""
    parts = []
    for number, step in enumerate(steps, start=1):
        part = f"## {number}. {step.title}\n"
        if step.text:
            part += f"\n{step.text}\n"
        if step.code:
            part += f"\n```{step.language}\n{step.code.rstrip()}\n```\n"
        parts.append(part)
    return "\n".join(parts)
