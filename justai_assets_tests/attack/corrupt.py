"""`python -m justai_assets_tests.attack corrupt`: thousands of damaged files, taken in through the real doors.

No crash, no panic, every record with one outcome, every file named with what became of it.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from justai_assets.contract.tables import CUSTOM_EVENTS, ESP_EVENTS, Table
from justai_assets.lake.store import Lake
from justai_assets.landing import decoder
from justai_assets.landing.landing_paths import day_prefix
from justai_assets.sources.intake import open_day
from justai_assets.storage import Root
from justai_assets_tests.attack.damage import AT, DAMAGES, parquet_files, webhook_file
from justai_assets_tests.world import WEBHOOK_ORG, World

BATCH = 100
DAY = AT.date()


def run(arguments: list[str]) -> int:
    """Attack, print what became of the files, and return 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="corrupt", description=__doc__)
    parser.add_argument("--parquet", type=int, default=15_000, help="damaged Parquet files")
    parser.add_argument("--webhooks", type=int, default=5_000, help="damaged webhook files")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    os.environ.setdefault("ACME_SALT", "a-salt-that-only-tests-know")
    began = time.monotonic()
    with TemporaryDirectory(prefix="justai-corrupt-") as folder, counting_decoders() as started:
        world = World(Path(folder), Root.parse(f"{folder}/landing"), Lake(Root.parse(f"{folder}/lake")))
        world.add_org(WEBHOOK_ORG)
        found, lost = attack_parquet(world, chosen.parquet, chosen.seed)
        more, gone = attack_webhooks(world, chosen.webhooks, chosen.seed)
    for name, count in sorted((found + more).items()):
        say(f"{count:>8,}  {name}")
    say(f"{chosen.parquet:,} Parquet and {chosen.webhooks:,} webhook files in {time.monotonic() - began:.0f} s")
    say(f"{max(started[0] - 1, 0)} decoders died, this process did not")
    for line in (*lost, *gone):
        say(f"LOST: {line}")
    return 1 if lost or gone else 0


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def counting_decoders() -> Iterator[list[int]]:
    """How many decoders are started in the block."""
    started = [0]
    original = decoder._Decoder.__init__

    def counted(self: decoder._Decoder) -> None:
        started[0] += 1
        original(self)

    decoder.end_all()
    decoder._Decoder.__init__ = counted
    try:
        yield started
    finally:
        decoder._Decoder.__init__ = original


def attack_parquet(world: World, count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Damaged drops of custom events."""
    sound = parquet_files()

    def make(luck: random.Random, _: int) -> tuple[str, bytes, str]:
        kind = luck.choice(list(DAMAGES))
        damaged = DAMAGES[kind](bytearray(luck.choice(sound)), luck, luck.choice(sound))
        return f"{kind.replace(' ', '-')}.parquet", damaged, kind

    return _attack(world, "redshift", CUSTOM_EVENTS, count, seed, make)


def attack_webhooks(world: World, count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Damaged files of Iterable envelopes."""

    def make(luck: random.Random, number: int) -> tuple[str, bytes, str]:
        kind = luck.choice(list(DAMAGES))
        suffix, content = webhook_file(luck, number)
        _, other = webhook_file(luck, number)
        return f"{kind.replace(' ', '-')}{suffix}", DAMAGES[kind](bytearray(content), luck, other), kind

    return _attack(world, "iterable_webhooks", ESP_EVENTS, count, seed, make)


Make = Callable[[random.Random, int], tuple[str, bytes, str]]


def _attack(world: World, door: str, table: Table, count: int, seed: int, make: Make) -> tuple[Counter[str], list[str]]:
    """What became of the files, by door, damage and outcome; and what was not accounted for."""
    outcomes: Counter[str] = Counter()
    lost: list[str] = []
    luck = random.Random(f"{door} {seed}")
    folder = day_prefix(door, "acme", DAY)
    for first in range(0, count, BATCH):
        kinds: dict[str, str] = {}
        for number in range(first, min(first + BATCH, count)):
            name, content, kind = make(luck, number)
            key = f"{folder}/{number:06d}-{name}"
            kinds[key] = kind
            world.landing.write(key, content)
        found, missing = _outcomes(world, door, table)
        lost += missing
        for key, kind in kinds.items():
            if key not in found and not _is_blank(world, key):
                lost.append(f"{key}: no outcome")
            outcomes[f"{door}, {kind}: {', '.join(sorted(found.get(key, {'empty'})))}"] += 1
        world.landing.delete(*kinds)
    return outcomes, lost


def _outcomes(world: World, door: str, table: Table) -> tuple[dict[str, set[str]], list[str]]:
    """File → its outcomes, and a line when the sums do not hold."""
    with open_day(world.landing, world.orgs["acme"], door, DAY, table) as intake:
        accepted = intake.accepted.select("source_file").unique().collect()["source_file"]
        taken = intake.accepted.select(pl.len()).collect().item()
        rejected = intake.rejected.select("source_file", "reason", "records").collect()
        total = taken + intake.duplicates + int(rejected["records"].sum())
        lost = [] if total == intake.received else [f"{door}: {intake.received} received, {total} with an outcome"]
    found: dict[str, set[str]] = {}
    for key in accepted:
        found.setdefault(key, set()).add("accepted")
    for key, reason in rejected.select("source_file", "reason").unique().iter_rows():
        found.setdefault(key, set()).add(reason)
    return found, lost


def _is_blank(world: World, key: str) -> bool:
    """Whether a file of text holds no record: cut within its first white space, or a stream of nothing."""
    return not key.endswith(".parquet") and not world.landing.read(key).strip()


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
