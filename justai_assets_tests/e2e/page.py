"""A report as a reader has it: its tables cell by cell, its lists of figures, and its sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Cell:
    """A cell and how many rows it covers."""

    text: str
    rows: int = 1


@dataclass
class Table:
    """A table by the name of its region; every row begins with its heading."""

    name: str
    header: list[str] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)

    def records(self) -> Iterator[tuple[str, dict[str, str]]]:
        """(heading, column → text) of each row, of a table in which no cell covers several rows."""
        for row in self.rows:
            texts = [cell.text for cell in row]
            assert len(texts) == len(self.header), (self.name, texts)
            yield texts[0], dict(zip(self.header[1:], texts[1:], strict=True))


class Page(HTMLParser):
    """What a report shows.

    Attributes:
        tables: in their order.
        figures: (section, name, text) of the large figures.
        sentences: (section, text) of every other text.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[Table] = []
        self.figures: list[tuple[str, str, str]] = []
        self.sentences: list[tuple[str, str]] = []
        self._stack: list[tuple[str, dict[str, str | None]]] = []
        self._texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"meta", "br", "link"}:
            return
        given = dict(attrs)
        if (label := given.get("aria-label")) and given.get("role") == "img":
            self.sentences.append((self._section(), label))
        if tag == "table":
            region = next(one for _, one in reversed(self._stack) if one.get("role") == "region")
            self.tables.append(Table(str(region["aria-label"])))
        elif tag == "tr":
            self._row: list[Cell] = []
        if tag in {"th", "td", "dt", "dd", "p", "caption", "summary", "h1", "h2", "h3", "li", "title"}:
            self._texts = []
        self._stack.append((tag, given))

    def handle_endtag(self, tag: str) -> None:
        while self._stack and (top := self._stack.pop())[0] != tag:
            pass
        text = " ".join("".join(self._texts).split())
        inside = {name for name, _ in self._stack}
        if tag in {"th", "td"}:
            self._row.append(Cell(text, int(top[1].get("rowspan") or 1)))
        elif tag == "tr":
            if "thead" in inside:
                self.tables[-1].header = [cell.text for cell in self._row]
            else:
                self.tables[-1].rows.append(self._row)
        elif tag == "dt":
            self._name = text
        elif tag == "dd" and ("dl", {"class": "figures"}) in self._stack:
            self.figures.append((self._section(), self._name, text))
        elif tag in {"p", "dd"}:
            self.sentences.append((self._section(), text))

    def handle_data(self, data: str) -> None:
        if not {"style", "svg"} & {tag for tag, _ in self._stack}:
            self._texts.append(data)

    def _section(self) -> str:
        names = [str(given.get("id") or given["aria-labelledby"]) for tag, given in self._stack if tag == "section"]
        return names[-1] if names else ""
