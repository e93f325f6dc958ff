"""`justai ui`: the Dagster UI on the demo's data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number


def ui(
    *,
    home: Path = Path(".justai/demo"),
    port: Annotated[int, Parameter(validator=Number(gte=1, lte=65_535))] = 3000,
    host: str = "127.0.0.1",
) -> None:
    """Open the Dagster UI (and its daemon) on the data of `justai demo`, and serve the table that its third org shares.

    Example: `justai ui --port 3000`

    For your own data, set JUSTAI_LANDING, JUSTAI_LAKE, JUSTAI_ORGS_DIR and DAGSTER_HOME, copy
    justai_assets/dagster.yaml to $DAGSTER_HOME, and run `dagster dev -w workspace.yaml`.

    Parameters
    ----------
    home
        Folder of the demo.
    port
        Port of the UI.
    host
        Address it listens on.
    """
    import os
    import sys

    from justai_assets.contract.errors import JustAIError
    from justai_assets.demo.demo_home import DemoPlace
    from justai_assets.demo.demo_share import serve
    from justai_assets.lake.format_probe import refuse_other_format
    from justai_assets.lake.store import Lake
    from justai_assets.settings import Settings
    from justai_assets.storage import Root

    place = DemoPlace(home.resolve())
    if not place.orgs_dir.is_dir():
        raise JustAIError(f"there is no demo in {home}", code="no_demo", mend="run justai demo first")
    os.environ.update(place.environment())
    # Before the UI starts: there it is one broken location among the pages.
    settings = Settings.from_environment()
    refuse_other_format(Lake(Root.parse(settings.lake)), settings.orgs().by_slug)
    if place.shared.is_dir():
        serve(place)
    command = [sys.executable, "-m", "dagster", "dev", "-m", "justai_assets.definitions"]
    sys.stdout.flush()
    os.execv(sys.executable, [*command, "--host", host, "--port", str(port)])  # noqa: S606 - no shell, fixed program
