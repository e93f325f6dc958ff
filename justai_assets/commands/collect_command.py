"""`justai collect`: the HTTP doors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number


def collect(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=Number(gte=1, lte=65_535))] = 8080,
    workers: int = 1,
    journal: Path = Path(".justai/journal"),
    access_log: Literal["all", "refused", "none"] = "all",
    org_requests_per_second: float = 2000.0,
    org_burst: float = 4000.0,
    body_bytes: int = 1 << 20,
    connections: int = 1024,
    connections_per_address: int = 512,
    segment_seconds: float = 30.0,
    min_free_bytes: int = 256 << 20,
) -> None:
    """Serve the webhook doors: an event is on disk before it is acknowledged, and lands under its own day.

    Example: `justai collect --port 8080 --workers 2 --journal /var/lib/justai/journal`

    Listens without TLS: put a proxy that terminates it in front (docs/collector.md shows one). Orgs come from
    JUSTAI_ORGS_DIR, a folder that must be there (its files may come later); events go to JUSTAI_LANDING. Stops on
    SIGTERM after what is under way is answered and landed.

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
    org_requests_per_second
        What one org may send over all doors and workers; a body counts as one more for every KiB beyond its first four.
    org_burst
        What one org may send at once after a pause.
    body_bytes
        Largest body that is accepted; at most 8 MiB.
    connections
        Connections of each worker; more wait.
    connections_per_address
        Connections of each worker that one address may hold without using them; behind a proxy, as many as connections.
    segment_seconds
        How long events stay in the journal before they are landed; shorter makes more and smaller objects.
    min_free_bytes
        With less free disk than this under the journal, requests are answered 503.
    """
    from justai_assets.serving.collector_config import CollectorConfig, Limits
    from justai_assets.serving.http_server import serve
    from justai_assets.settings import Settings

    settings = Settings.from_environment()
    settings.require_orgs_dir()
    limits = Limits(
        body_bytes=body_bytes,
        connections=connections,
        connections_per_address=connections_per_address,
        org_requests_per_second=org_requests_per_second,
        org_burst=org_burst,
    )
    config = CollectorConfig(
        journal,
        settings.landing,
        settings.orgs_dir,
        only=settings.only,
        limits=limits,
        segment_seconds=segment_seconds,
        min_free_bytes=min_free_bytes,
        access_log=access_log,
    )
    serve(config, host=host, port=port, workers=workers)
