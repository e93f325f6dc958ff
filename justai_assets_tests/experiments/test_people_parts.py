from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from justai_assets.experiments import people_parts as module
from justai_assets.experiments.clustered_variance import PEOPLE
from justai_assets.experiments.people_parts import People
from justai_assets_tests.experiments.events import FIRST


def rows(day, users):
    return pl.DataFrame(
        [("t", "treatment", None, day, user, None, None, 1, 0) for user in users], schema=PEOPLE, orient="row"
    )


@pytest.fixture
def people(tmp_path: Path) -> People:
    return People(tmp_path)


def test_few_people_are_one_part(people: People) -> None:
    people.add(FIRST, rows(FIRST, ["a", "b"]))
    people.add(FIRST + timedelta(1), rows(FIRST + timedelta(1), ["a"]))
    (part,) = people.parts()
    assert part.collect().height == 3


def test_many_people_are_parts_and_each_person_is_in_one(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 10)
    users = [*(f"{at * 7919 % 256:02x}" for at in range(200)), "", "zz", "A"]
    for at in range(2):
        people.add(FIRST + timedelta(at), rows(FIRST + timedelta(at), users))
    parts = [part.collect()["user"].to_list() for part in people.parts()]
    assert len(parts) == 16
    assert sorted(user for part in parts for user in part) == sorted(users * 2)
    assert all(not set(a) & set(b) for at, a in enumerate(parts) for b in parts[at + 1 :])


def test_nobody_is_one_empty_part(people: People) -> None:
    (part,) = people.parts()
    assert part.collect().is_empty()
