"""`python -m justai_assets_tests.share_server --table share.schema.table=/path …`: serve until interrupted."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from pathlib import Path

from justai_assets_tests.share_server.server import ShareServer


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m justai_assets_tests.share_server",
        description="Serve Delta tables over the Delta Sharing protocol.",
        epilog="example: --table main.events.unified=/tables/unified --profile-out acme.share",
    )
    parser.add_argument("--table", action="append", required=True, metavar="SHARE.SCHEMA.TABLE=PATH")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8787, help="0 picks a free one")
    parser.add_argument("--auth", default="v1", choices=["v1", "bearer_token", "basic", "oauth_client_credentials"])
    parser.add_argument("--profile-out", type=Path, help="write the credential file here instead of printing it")
    parser.add_argument("--url-seconds", type=float, default=3600, help="life of a pre-signed address")
    parser.add_argument("--page-size", type=int)
    parser.add_argument("--format", dest="prefers", default="parquet", choices=["parquet", "delta"])
    given = parser.parse_args(arguments)
    tables: dict[str, Path] = {}
    for item in given.table:
        name, separator, path = item.partition("=")
        if not separator or name.count(".") != 2 or not (Path(path) / "_delta_log").is_dir():
            parser.error(f"--table {item}: write SHARE.SCHEMA.TABLE=PATH, where PATH is a Delta table")
        tables[name] = Path(path)
    server = ShareServer(
        tables,
        host=given.host,
        port=given.port,
        url_seconds=given.url_seconds,
        page_size=given.page_size,
        prefers=given.prefers,
    )
    with server:
        if given.profile_out:
            given.profile_out.touch(mode=0o600)
            given.profile_out.write_text(server.profile(given.auth) + "\n", encoding="utf-8")
            print(
                f"serving {', '.join(tables)} at {server.url}{server.prefix}; profile in {given.profile_out}",
                flush=True,
            )
        else:
            print(server.profile(given.auth), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
