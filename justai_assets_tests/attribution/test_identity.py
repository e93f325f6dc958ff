from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from justai_assets.attribution.identity import persons
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
