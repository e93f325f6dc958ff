from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.attribution.engine import linked_keys
from justai_assets.attribution.engine.linked_keys import persons, split_pairs
from justai_assets_tests.attribution.oracle import person_of

pairs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12)


@settings(max_examples=200, deadline=None)
@given(pairs)
def test_persons_are_the_connected_components_in_any_order(some: list[tuple[int, int]]) -> None:
    linked = [{"email_key": f"e{email}", "user_key": f"u{user}"} for email, user in some]
    found = numbered(some)
    assert found == numbered(some[::-1])
    for row in linked:
        assert found[row["email_key"]] == found[row["user_key"]]
        person = person_of(("email_key", row["email_key"]), linked)
        for other in linked:
            same = found[row["email_key"]] == found[other["email_key"]]
            assert same == (("email_key", other["email_key"]) in person)


def numbered(some: list[tuple[int, int]]) -> dict[str, int]:
    """Each key's person, with keys as numbers: emails 100 and up, user ids 200 and up."""
    frame = pl.DataFrame(
        [{"email": 100 + email, "email_check": 1, "user": 200 + user, "user_check": 2} for email, user in some],
        schema={"email": pl.UInt64, "email_check": pl.UInt32, "user": pl.UInt64, "user_check": pl.UInt32},
    ).unique(maintain_order=True)
    people = persons(frame)
    assert people.select(pl.struct("key", "check").is_unique().all()).item()
    known = dict(people.select("key", "person").iter_rows())
    keys = {f"e{n - 100}": n for n in frame["email"]} | {f"u{n - 200}": n for n in frame["user"]}
    return {name: known.get(number, number) for name, number in keys.items()}


SCHEMA = {"email": pl.UInt64, "email_check": pl.UInt32, "user": pl.UInt64, "user_check": pl.UInt32}


def test_pairs_in_buckets_on_disk_are_those_found_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    luck = random.Random(5)
    # Two keys may share 64 bits and differ in their check.
    some = [(luck.randrange(200) << 56, luck.randrange(2), luck.randrange(200) << 56, 0) for _ in range(400)]
    some += [(luck.randrange(300, 9_000) << 50, 0, number, 0) for number in range(4_000)]
    rows = pl.DataFrame([*some, *luck.sample(some, 900)], schema=SCHEMA, orient="row")
    whole = split_pairs(rows.lazy())
    assert all(part.height for part in whole)
    monkeypatch.setattr(linked_keys, "_AT_ONCE", 500)
    monkeypatch.setattr(linked_keys, "_RESIDENT", 4_000)
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
