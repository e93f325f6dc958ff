"""What a benchmark found: a table, JSON, a picture."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.process import Run
from justai_assets.reporting.chart_process import paint


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        name: contender or size.
        seconds: median.
        all_seconds: every run.
        cpu_seconds: processor time, median.
        peak_mb: greatest of all runs.
        rows: rows written.
        written_mb: bytes written.
        size: rows read, where the sizes differ.
    """

    name: str
    seconds: float
    all_seconds: tuple[float, ...]
    cpu_seconds: float
    peak_mb: float
    rows: int
    written_mb: float
    size: int = 0

    @classmethod
    def of(cls, name: str, runs: Sequence[Run], *, size: int = 0) -> Row:
        """From the runs of one contender at one size."""
        seconds = tuple(round(run.seconds, 2) for run in runs)
        peak = max(run.peak_mb for run in runs)
        cpu = round(median(run.cpu_seconds for run in runs), 2)
        return cls(name, median(seconds), seconds, cpu, round(peak), runs[0].rows, round(runs[0].written_mb, 1), size)


@dataclass(frozen=True)
class Report:
    """Lines, and the one the others are measured by (`base`; empty: the first)."""

    title: str
    rows: tuple[Row, ...]
    base: str = ""

    def _base(self) -> Row:
        return next((row for row in self.rows if row.name == self.base), self.rows[0])

    def exponent(self, row: Row) -> float | None:
        """K where seconds grow as size^k from the base to this line."""
        base = self._base()
        if not row.size or row.size == base.size:
            return None
        return math.log(row.seconds / base.seconds) / math.log(row.size / base.size)

    def table(self) -> str:
        """Aligned text, ready for a page in Markdown."""
        base, scaled = self._base(), any(row.size for row in self.rows)
        head = [
            "",
            "seconds",
            f"× {base.name}",
            "CPU s",
            f"× {base.name}",
            "peak MB",
            f"× {base.name}",
            "rows out",
            "MB out",
        ]
        lines = [[*head, "rows in", "exponent"] if scaled else head]
        for row in self.rows:
            line = [row.name, f"{row.seconds:.1f}", f"{row.seconds / base.seconds:.2f}", f"{row.cpu_seconds:.1f}",
                    f"{row.cpu_seconds / base.cpu_seconds:.2f}", f"{row.peak_mb:,.0f}",
                    f"{row.peak_mb / base.peak_mb:.2f}", f"{row.rows:,}", f"{row.written_mb:,.0f}"]  # fmt: skip
            exponent = self.exponent(row)
            lines.append([*line, f"{row.size:,}", "" if exponent is None else f"{exponent:.2f}"] if scaled else line)
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        texts = [
            "| " + " | ".join([name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])]) + " |"
            for name, *cells in lines
        ]
        rule = "|" + "|".join("-" * (w + 1) + ("-" if n == 0 else ":") for n, w in enumerate(widths)) + "|"
        return "\n".join([f"{self.title}; {machine()}", "", texts[0], rule, *texts[1:]])

    def as_json(self) -> dict[str, Any]:
        """Everything, for a later comparison."""
        rows = [{**asdict(row), "exponent": self.exponent(row)} for row in self.rows]
        return {"title": self.title, "machine": machine(), "base": self._base().name, "rows": rows}

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """`name.json` and `name.svg` in the folder."""
        import altair as alt
        import polars as pl

        folder.mkdir(parents=True, exist_ok=True)
        data, picture = folder / f"{name}.json", folder / f"{name}.svg"
        data.write_text(json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n")
        frame = pl.DataFrame([{"name": row.name, "seconds": row.seconds, "peak MB": row.peak_mb} for row in self.rows])
        bars = alt.Chart(frame).mark_bar().encode(y=alt.Y("name", sort=None, title=None))
        sides = [bars.encode(x=alt.X(field, type="quantitative")) for field in ("seconds", "peak MB")]
        picture.write_bytes(paint("svg", alt.hconcat(*sides).properties(title=self.title).to_dict()))
        return data, picture


def machine() -> str:
    """Cores, memory and versions that the numbers belong to."""
    import os

    import duckdb
    import polars as pl
    import psutil

    memory = round(psutil.virtual_memory().total / 2**30)
    versions = f"Python {platform.python_version()}, Polars {pl.__version__}, DuckDB {duckdb.__version__}"
    return f"{os.cpu_count()} cores, {memory} GiB, {versions}"
