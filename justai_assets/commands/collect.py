"""`justai collect`: the HTTP doors."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def collect(
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    workers: int = 1,
    journal: Path = Path(".justai/journal"),
    access_log: Literal["all", "refused", "none"] = "all",
) -> None:
    """Serve the webhook doors: an event is on disk before it is acknowledged, and lands under its own day.

    Example: `justai collect --port 8080 --workers 2 --journal /var/lib/justai/journal`

    Listens without TLS: put a proxy that terminates it in front (docs/collector.md shows one). Orgs come from
    JUSTAI_ORGS_DIR, events go to JUSTAI_LANDING. Stops on SIGTERM after what is under way is answered and landed.

    Parameters
    ----------
    host
        Address to listen on; 0.0.0.0 for all.
    port
        Port to listen on.
    workers
        Processes that answer requests.
    journal
        Folder on a local disk for what is acknowledged and not landed yet.
    access_log
        Which requests are logged; never with personal data.
    """
    from justai_assets.collector.config import CollectorConfig
    from justai_assets.collector.serve import serve
    from justai_assets.settings import Settings

    settings = Settings.from_environment()
    config = CollectorConfig(journal, settings.landing, settings.orgs_dir, only=settings.only, access_log=access_log)
    serve(config, host=host, port=port, workers=workers)
