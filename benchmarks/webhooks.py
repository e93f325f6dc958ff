"""Generated landings for the ingest benchmark: envelopes as the collector seals them, warehouse drops as Parquet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from benchmarks.events import random_hex
from justai_assets.landing.landing_paths import day_prefix
from justai_assets.storage import Root

DAY: Final = date(2026, 1, 5)
FILE_EVENTS: Final = 64_000
"""Lines of a file: about a full journal segment of the collector (64 MiB)."""
SEED: Final = 11
SLUG: Final = "bench"

ORG_FILE: Final = f"""\
slug: {SLUG}
start_date: 2026-01-01
pseudonym_salt: file:salt
engagement: iterable_webhooks
custom: redshift
sources:
  iterable_webhooks: {{}}
  redshift: {{content: custom_events}}
"""

_AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"


@dataclass(frozen=True)
class Landed:
    """A generated day.

    Attributes:
        root: the landing root; the org's file and salt lie in `orgs` beside it.
        events: records of each door.
        duplicates: how many of the webhook's are a redelivery of another; the drop has none.
    """

    root: Path
    events: int
    duplicates: int

    @property
    def orgs(self) -> Path:
        """Folder of the org file."""
        return self.root.parent / "orgs"

    @property
    def webhook_files(self) -> list[Path]:
        """The files of envelopes."""
        return sorted((self.root / day_prefix("iterable_webhooks", SLUG, DAY)).glob("*.jsonl.zst"))


def land_webhooks(folder: Path, events: int, *, drop: bool = False) -> Landed:
    """One day of Iterable's system webhooks, unless the folder already holds that of the same arguments.

    Keys, JSON types and lengths are those of real calls, about 900 bytes an envelope: three quarters sends, the rest
    opens and clicks with ip, agent and place; a tenth without a user id; one event in a hundred delivered twice.

    Args:
        folder: gets `landing/` and `orgs/`.
        events: records in all, redeliveries included.
        drop: also as many rows of a Redshift drop of custom events, one Parquet file per million.
    """
    landed = Landed(folder / "landing", events, events // 100)
    done, label = folder / "done", f"{events} {drop} {FILE_EVENTS} {SEED}"
    if done.is_file() and done.read_text() == label:
        return landed
    import numpy as np

    done.unlink(missing_ok=True)
    landed.orgs.mkdir(parents=True, exist_ok=True)
    (landed.orgs / f"{SLUG}.yaml").write_text(ORG_FILE)
    (landed.orgs / "salt").write_text("a salt for the benchmark")
    root = Root.parse(str(landed.root))
    root.delete(*(found.key for found in root.list("")))
    rng = np.random.default_rng(SEED)
    unique = events - landed.duplicates
    # As Python strings: a gathered column would hold the text of its whole file.
    again: list[str] = []
    for number, start in enumerate(range(0, unique, FILE_EVENTS)):
        rows = min(FILE_EVENTS, unique - start)
        lines = _lines(rng, rows, users=max(events // 3, 10), start=start / unique, share=rows / unique)
        # Its share of the redeliveries: of each file as many as make the whole.
        repeats = (start + rows) * landed.duplicates // unique - start * landed.duplicates // unique
        again += lines.gather(np.sort(rng.choice(rows, repeats, replace=False))).to_list()
        _seal(root, f"{number:06d}", lines.to_list())
    _seal(root, "redelivered", again)
    for part in range(-(-events // 1_000_000) if drop else 0):
        _drop(root, rng, part, min(1_000_000, events - part * 1_000_000))
    done.write_text(label)
    return landed


def _seal(root: Root, name: str, lines: list[str]) -> None:
    import zstandard

    if not lines:
        return
    content = "\n".join(lines).encode() + b"\n"
    # As the collector does: its level, with a checksum.
    sealed = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(content)
    root.write(f"{day_prefix('iterable_webhooks', SLUG, DAY)}/{name}.jsonl.zst", sealed)


def _lines(rng: Any, rows: int, *, users: int, start: float, share: float) -> pl.Series:
    """Envelopes in order of receipt over a part of the day."""
    import numpy as np

    seconds = np.sort(rng.integers(int(start * 86_000), int((start + share) * 86_000) + 1, rows))
    midnight = int(datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC).timestamp())
    created = pl.Series("created", (seconds + midnight) * 1_000_000).cast(pl.Datetime("us"))
    received = pl.Series("received", (seconds + midnight) * 1_000_000 + rng.integers(200_000, 5_000_000, rows))
    template = rng.integers(0, 200, rows)
    user = rng.integers(0, users, rows)
    frame = pl.DataFrame(
        {
            "id": random_hex(rng, rows) + random_hex(rng, rows),
            "message": random_hex(rng, rows),
            "created": created.dt.to_string("%Y-%m-%d %H:%M:%S +00:00"),
            "received": received.cast(pl.Datetime("us")).dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ"),
            "user": pl.Series(user).cast(pl.String),
            "known": rng.random(rows) < 0.9,
            "event": pl.Series(["emailSend", "emailOpen", "emailClick"]).gather(
                rng.choice(3, rows, p=[0.75, 0.19, 0.06])
            ),
            "template": pl.Series(template + 801_000).cast(pl.String),
            "campaign": pl.Series(template // 4 + 901_000).cast(pl.String),
            "number": pl.Series(user % 250).cast(pl.String),
            "content": pl.Series(rng.integers(100_000, 999_999, rows)).cast(pl.String),
            "proxy": rng.random(rows) < 0.3,
        }
    )
    column = pl.col
    email = pl.concat_str(pl.lit("person."), "user", pl.lit("@mail"), "number", pl.lit(".example.com"))
    person = pl.when("known").then(pl.concat_str(pl.lit('","userId":"user_'), "user")).otherwise(pl.lit(""))
    is_send, is_open = column("event") == "emailSend", column("event") == "emailOpen"
    place = pl.concat_str(
        pl.when(is_open & column("proxy")).then(pl.lit('"proxySource":"Gmail",')).otherwise(pl.lit("")),
        pl.when(is_open)
        .then(pl.lit('"device":"Gmail",'))
        .otherwise(
            pl.concat_str(
                pl.lit('"url":"https://www.example.com/p/'), "content", pl.lit('?utm=mail","linkId":"35'), "content",
                pl.lit('","city":"San José","region":"CA",'),
            )
        ),
        pl.lit(f'"userAgent":"{_AGENT}","ip":"192.0.2.'), "number", pl.lit('",'),
    )  # fmt: skip
    extra = (
        pl.when(is_send)
        .then(
            pl.concat_str(
                pl.lit('"contentId":'), "content", pl.lit(',"transactionalData":{"order":{"id":"'), "content",
                pl.lit('","items":[{"sku":"A-1","price":12.5}]}},'),
            )
        )
        .otherwise(place)
    )  # fmt: skip
    line = pl.concat_str(
        pl.lit('{"id":"'), "id", pl.lit('","received_at":"'), "received", pl.lit('","query":{"campaignId":"'),
        "campaign", pl.lit('"},"body":{"email":"'), "email", "person", pl.lit('","eventName":"'), "event",
        pl.lit('","dataFields":{'), "extra", pl.lit('"email":"'), "email", pl.lit('","createdAt":"'), "created",
        pl.lit('","campaignId":'), "campaign", pl.lit(',"templateId":'), "template", pl.lit(',"messageId":"'),
        "message", pl.lit('","emailSubject":"Your order is on its way \\u2013 track it","campaignName":"Lifecycle '),
        "campaign", pl.lit('","workflowId":null,"workflowName":null,"templateName":"Order shipped "'
                           ',"channelId":6054,"messageTypeId":3961,"experimentId":null,"labels":[],"locale":null,'
                           '"emailId":"c'), "campaign", pl.lit(":t"), "template", pl.lit(":"), "email",
        pl.lit('"}}}'),
    )  # fmt: skip
    return frame.with_columns(email.alias("email"), person.alias("person"), extra.alias("extra")).select(
        line.alias("line")
    )["line"]


def _drop(root: Root, rng: Any, part: int, rows: int) -> None:
    midnight = int(datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC).timestamp()) * 1_000_000
    user = pl.Series(rng.integers(0, rows, rows)).cast(pl.String)
    people = pl.select(pl.when(rng.random(rows) < 0.5).then("user_" + user).otherwise(user + "@example.com"))
    frame = pl.DataFrame(
        {
            "event_timestamp": pl.Series(rng.integers(0, 86_400_000_000, rows) + midnight).cast(
                pl.Datetime("us", "UTC")
            ),
            "event_name": pl.Series(["purchase", "signup", "page_view"]).gather(rng.integers(0, 3, rows)),
            "user_id_or_email": people.to_series(),
        }
    )
    folder = root.local(day_prefix("redshift", SLUG, DAY))
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / f"{part:04d}_part_00.parquet", compression="zstd")
