from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest

from justai_assets.attribution import pairs
from justai_assets.attribution.pairs import split_pairs

SCHEMA = {"email": pl.UInt64, "email_check": pl.UInt32, "user": pl.UInt64, "user_check": pl.UInt32}


def test_pairs_in_buckets_on_disk_are_those_found_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    luck = random.Random(5)
    # Two keys may share 64 bits and differ in their check.
    some = [(luck.randrange(200) << 56, luck.randrange(2), luck.randrange(200) << 56, 0) for _ in range(400)]
    some += [(luck.randrange(300, 9_000) << 50, 0, number, 0) for number in range(4_000)]
    rows = pl.DataFrame([*some, *luck.sample(some, 900)], schema=SCHEMA, orient="row")
    whole = split_pairs(rows.lazy())
    assert all(part.height for part in whole)
    monkeypatch.setattr(pairs, "_AT_ONCE", 500)
    monkeypatch.setattr(pairs, "_RESIDENT", 4_000)
    cut = split_pairs(rows.lazy(), tmp_path)
    for one, other in zip(whole, cut, strict=True):
        order = list(SCHEMA)
        assert one.select(order).sort(order).equals(other.select(order).sort(order))
    distinct = rows.unique()
    emails = distinct.group_by("email", "email_check").len().filter(pl.col("len") == 1)
    users = distinct.group_by("user", "user_check").len().filter(pl.col("len") == 1)
    alone = distinct.join(emails, on=["email", "email_check"], how="semi").join(
        users, on=["user", "user_check"], how="semi"
    )
    assert whole[0].select(list(SCHEMA)).sort(list(SCHEMA)).equals(alone.sort(list(SCHEMA)))
    assert whole[0].height + whole[1].height == distinct.height
    assert list(tmp_path.iterdir()) == []
