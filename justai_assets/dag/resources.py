"""What assets work with: the roots, as they are when the run starts."""

import dagster as dg
from pydantic import PrivateAttr

from justai_assets.lake.store import Lake
from justai_assets.settings import Settings, memory_budget
from justai_assets.storage import Root


class Platform(dg.ConfigurableResource[None]):
    """The landing and lake roots, and how much memory a run may take.

    Empty fields come from JUSTAI_LANDING and JUSTAI_LAKE when a run uses them. `accept_empty` lets a run empty days of
    a door that holds no object any more; without it such a run fails.
    """

    landing_url: str = ""
    lake_url: str = ""
    accept_empty: bool = False
    _lakes: dict[str, Lake] = PrivateAttr(default_factory=dict)

    def landing(self) -> Root:
        """What others write."""
        return Root.parse(self.landing_url or Settings.from_environment().landing)

    def lake(self) -> Lake:
        """What we write; one object a run, which keeps its tables open."""
        url = self.lake_url or Settings.from_environment().lake
        return self._lakes.setdefault(url, Lake(Root.parse(url)))

    def memory_budget(self) -> int | None:
        """Bytes that attribution may hold at once (JUSTAI_MEMORY_BUDGET); None: a quarter of the machine."""
        return memory_budget()
