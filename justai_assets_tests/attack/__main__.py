"""`python -m justai_assets_tests.attack NAME …`: one attack; `--help` after its name tells its options."""

from __future__ import annotations

import importlib
import sys
from typing import Final

ATTACKS: Final = {
    "kill": "kill -9 of the collector under load, on disk and on an S3 server",
    "latency": "what other orgs' requests take while one client attacks the collector",
    "corrupt": "damaged Parquet and webhook files",
    "host": "a machine with a real daemon that goes down",
}


def main(arguments: list[str]) -> int:
    """Run the attack that the first argument names; its exit code, or 2 for a name that is none."""
    if not arguments or arguments[0] not in ATTACKS:
        print("usage: python -m justai_assets_tests.attack NAME …", file=sys.stderr)
        for name, what in ATTACKS.items():
            print(f"  {name:8} {what}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"justai_assets_tests.attack.{arguments[0]}")
    return int(module.run(arguments[1:]))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
