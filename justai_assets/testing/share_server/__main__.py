"""`python -m justai_assets.testing.share_server --table share.schema.table=/path …`: serve until interrupted."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Any, cast, get_args

from justai_assets.testing.share_server.faults import Fault, Kind, Where
from justai_assets.testing.share_server.server import ShareServer
from justai_assets.testing.share_server.shared_tables import SharedTable


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C, or until the parent process ends; 1 when the address cannot be listened on."""
    parser = argparse.ArgumentParser(
        prog="python -m justai_assets.testing.share_server",
        description="Serve Delta tables over the Delta Sharing protocol.",
        epilog="example: --table main.events.unified=/tables/unified --profile-out acme.share",
    )
    parser.add_argument("--table", action="append", required=True, metavar="SHARE.SCHEMA.TABLE=PATH")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8787, help="0 picks a free one")
    parser.add_argument("--auth", default="v1", choices=["v1", "bearer_token", "basic", "oauth_client_credentials"])
    parser.add_argument("--profile-out", type=Path, help="write the credential file here instead of printing it")
    parser.add_argument("--url-seconds", type=float, default=3600, help="life of a pre-signed address")
    parser.add_argument("--page-size", type=int, help="files a page, for clients that ask for pages")
    parser.add_argument(
        "--view", action="append", default=[], metavar="SHARE.SCHEMA.TABLE", help="serve it without history"
    )
    parser.add_argument(
        "--break",
        dest="faults",
        action="append",
        default=[],
        metavar="WHERE:KIND[:NAME=VALUE…]",
        help="a fault, as query:status:status=503:times=2 or files:corrupt; see share_server/faults.py",
    )
    parser.add_argument("--format", dest="prefers", default="parquet", choices=["parquet", "delta"])
    parser.add_argument("--parent", type=int, metavar="PID", help="end when this process, which started it, has ended")
    given = parser.parse_args(arguments)
    tables: dict[str, Path] = {}
    for item in given.table:
        name, separator, path = item.partition("=")
        if not separator or name.count(".") != 2 or not (Path(path) / "_delta_log").is_dir():
            parser.error(f"--table {item}: write SHARE.SCHEMA.TABLE=PATH, where PATH is a Delta table")
        tables[name] = Path(path)
    unknown = sorted(set(given.view) - set(tables))
    if unknown:
        parser.error(f"--view {unknown[0]}: no --table of that name")
    try:
        faults = [_fault(text) for text in given.faults]
    except ValueError as error:
        parser.error(f"--break {error}")
    try:
        server = ShareServer(
            {name: SharedTable(path, is_view=name in given.view) for name, path in tables.items()},
            host=given.host,
            port=given.port,
            url_seconds=given.url_seconds,
            page_size=given.page_size,
            prefers=given.prefers,
        )
    except OSError as error:
        sys.stderr.write(f"error: {given.host}:{given.port} cannot be listened on: {error.strerror}\n")
        return 1
    for fault in faults:
        server.faults.add(fault)
    with server:
        if given.profile_out:
            given.profile_out.touch(mode=0o600)
            given.profile_out.write_text(server.profile(given.auth) + "\n", encoding="utf-8")
            said = f"serving {', '.join(tables)} at {server.url}{server.prefix}; profile in {given.profile_out}"
        else:
            said = server.profile(given.auth)
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            while given.parent in {None, os.getppid()}:
                time.sleep(1)
    return 0


def _fault(text: str) -> Fault:
    """A fault from WHERE:KIND[:NAME=VALUE…]; ValueError for anything else."""
    where, _, rest = text.partition(":")
    kind, *settings = rest.split(":")
    if where not in get_args(Where) or kind not in get_args(Kind):
        raise ValueError(f"{text}: WHERE is one of {', '.join(get_args(Where))}; KIND of {', '.join(get_args(Kind))}")
    values: dict[str, Any] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        read = {"times": int, "skip": int, "status": int, "seconds": float, "message": str}.get(name)
        if read is None:
            raise ValueError(f"{text}: NAME is one of times, skip, status, seconds, message")
        values[name] = read(value)
    return Fault(cast("Where", where), cast("Kind", kind), **values)


if __name__ == "__main__":
    sys.exit(main())
