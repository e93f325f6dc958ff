"""`justai databricks`: what an org with `engine: databricks` needs in its workspace."""

from __future__ import annotations

from pathlib import Path

import cyclopts

app = cyclopts.App(
    name="databricks",
    help="What an org with `engine: databricks` needs in its workspace.\n\nExample: `justai databricks wheel`",
)


@app.command
def wheel(*, out: Path = Path(".justai/databricks")) -> None:
    """Write the wheel that `databricks.wheel` of an org file names; upload it to a volume.

    It holds the job alone and requires only dagster-pipes. Equal code gives an equal name.

    Example: `justai databricks wheel --out build`

    Parameters
    ----------
    out
        Folder for the file.
    """
    from rich.console import Console

    from justai_assets.attribution.spark.wheel import build_wheel

    Console(highlight=False, soft_wrap=True).print(f"{build_wheel(out)}", markup=False)
