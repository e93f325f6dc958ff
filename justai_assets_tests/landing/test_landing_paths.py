from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justai_assets.contract.errors import StorageError
from justai_assets.landing.landing_paths import day_of, day_prefix, door_prefix, partition_of
from justai_assets.orgs.org_model import SLUG
from justai_assets.sources.registry import landings

DAY = date(2026, 1, 5)


@pytest.mark.parametrize(
    ("door", "prefix"),
    [
        ("iterable_webhooks", "webhooks/iterable/acme"),
        ("journey_webhooks", "webhooks/events/acme"),
        ("chameleon_webhooks", "webhooks/chameleon/acme"),
        ("generate", "generate/acme"),
        ("redshift", "redshift/acme"),
        ("databricks", "databricks/acme"),
    ],
)
def test_each_door_lies_where_it_is_documented(door: str, prefix: str) -> None:
    assert door_prefix(door, "acme") == prefix
    assert day_prefix(door, "acme", DAY) == f"{prefix}/event_date=2026-01-05"
    assert day_prefix(door, "acme", None) == f"{prefix}/event_date=__HIVE_DEFAULT_PARTITION__"


@pytest.mark.parametrize("slug", ["", "..", "acme/../globex", "Acme", "acme_eu", "-a", "a" * 64, "acme\n", "acme "])
def test_what_is_no_slug_never_becomes_a_path(slug: str) -> None:
    with pytest.raises(StorageError, match=r"not an org slug"):
        door_prefix("redshift", slug)


@given(st.sampled_from(sorted(landings())), st.from_regex(SLUG, fullmatch=True), st.dates())
def test_a_day_is_read_back_from_every_key_below_its_folder(door: str, slug: str, day: date) -> None:
    folder = day_prefix(door, slug, day)
    assert day_of(f"{folder}/part-0.parquet") == day
    assert day_of(f"{folder}/deeper/part-0.parquet") == day
    assert day_of(folder) is None, "the folder itself holds nothing"


@pytest.mark.parametrize(
    "folder",
    [
        "event_date=__HIVE_DEFAULT_PARTITION__",
        "event_date=",
        "event_date=2026-02-30",
        "event_date=20260105",
        "2026-01-05",
    ],
)
def test_a_folder_that_names_no_day_has_none(folder: str) -> None:
    assert day_of(f"redshift/acme/{folder}/x.parquet") is None


def test_a_partition_value_is_decoded() -> None:
    assert partition_of("redshift/acme/event_date=2026%2D01%2D05/x") == "2026-01-05"
    assert partition_of("redshift/acme/x.parquet") is None
    assert partition_of("redshift/acme/event_date=2026-01-05") is None
