"""The memory of a door: written under the name of its content, lost without harm."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justai_assets.contract.errors import StorageError
from justai_assets.landing import sensor_memory as memories
from justai_assets.landing.day_changes import Mark, Memory, Waiting
from justai_assets_tests.world import World

KEYS = st.one_of(st.none(), st.dates(date(2020, 1, 1), date(2030, 1, 1)))
HASH = st.text("0123456789abcdef", min_size=8, max_size=32)
MEMORIES = st.builds(
    Memory,
    st.dictionaries(KEYS, st.builds(Mark, HASH, HASH), max_size=9),
    st.dictionaries(
        KEYS,
        st.builds(
            Waiting,
            st.one_of(st.just(""), HASH),
            st.integers(0, 2**31).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
        ),
        max_size=9,
    ),
)
KNOWN = Memory({date(2026, 1, 1): Mark("a", "b"), None: Mark("c", "c")}, start=date(2026, 1, 1))


@given(MEMORIES)
def test_what_is_remembered_comes_back(memory: Memory) -> None:
    assert memories.decode(memories.encode(memory)) == memory


def test_it_is_kept_under_its_name_and_a_damaged_or_lost_one_is_none(any_world: World) -> None:
    lake = any_world.lake.root
    name = memories.save(lake, "redshift", "acme", KNOWN)
    assert memories.load(lake, "redshift", "acme", name) == KNOWN
    assert memories.load(lake, "redshift", "acme", "0" * 20) is None
    lake.write(f"_sensors/redshift/acme/{name}.json", b'{"version": 1}')
    assert memories.load(lake, "redshift", "acme", name) is None
    memories.discard(lake, "redshift", "acme", name)
    memories.discard(lake, "redshift", "acme", name)
    assert memories.load(lake, "redshift", "acme", name) is None


def test_orphans_are_discarded_when_they_are_old_and_nobody_names_them(any_world: World) -> None:
    lake = any_world.lake.root
    kept = memories.save(lake, "redshift", "acme", KNOWN)
    orphan = memories.save(lake, "redshift", "acme", Memory())
    now = datetime.now(UTC)
    keep = frozenset({kept})
    assert memories.discard_orphans(lake, "redshift", "acme", keep=keep, before=now - timedelta(days=1)) == 0
    assert memories.discard_orphans(lake, "redshift", "acme", keep=keep, before=now + timedelta(days=1)) == 1
    assert memories.load(lake, "redshift", "acme", orphan) is None
    assert memories.load(lake, "redshift", "acme", kept) == KNOWN


def test_a_name_from_a_cursor_cannot_leave_its_folder(world: World) -> None:
    with pytest.raises(StorageError):
        memories.load(world.lake.root, "redshift", "acme", "../../x")


def test_three_years_of_an_org_are_a_small_object() -> None:
    marks = {date(2024, 1, 1) + timedelta(days=n): Mark("f" * 32, "f" * 32) for n in range(1095)}
    assert len(memories.encode(Memory(marks))) < 64_000
