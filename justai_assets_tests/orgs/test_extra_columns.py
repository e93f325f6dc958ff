import math
import random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from justai_assets.contract.tables import ATTRIBUTED_EVENTS, CUSTOM_EVENTS, ESP_EVENTS, UNIFIED_EVENTS
from justai_assets.orgs.extra_columns import declared, exact_sum, extra_of, has_value
from justai_assets.orgs.org_loader import OrgFileError
from justai_assets.orgs.org_model import Org
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World


def unified(world: World, columns: Any) -> Org:
    return world.add_org(UNIFIED_ORG, sources={"databricks": {"content": "unified_events", "extra_columns": columns}})


def custom(world: World, redshift: Any, databricks: Any, **changes: Any) -> Org:
    sources = {
        "iterable_webhooks": {},
        "redshift": {"content": "custom_events", "extra_columns": redshift},
        "databricks": {"content": "custom_events", "extra_columns": databricks},
    }
    return world.add_org(WEBHOOK_ORG, sources=sources, **{"custom": ["redshift", "databricks"], **changes})


def test_names_alone_are_text_but_value_and_revenue_are_numbers(world: World) -> None:
    org = unified(world, ["revenue", "country"])
    assert extra_of(declared(org, UNIFIED_EVENTS)) == {"revenue": "number", "country": "text"}
    assert declared(org, UNIFIED_EVENTS).schema["revenue"] == pl.Float64()
    assert declared(org, UNIFIED_EVENTS).required == UNIFIED_EVENTS.required, "a declared column may be null"
    assert not has_value(org)
    assert has_value(unified(world, "value"))


def test_a_mapping_gives_the_types(world: World) -> None:
    org = unified(world, {"points": "number", "revenue": "text"})
    assert extra_of(declared(org, UNIFIED_EVENTS)) == {"points": "number", "revenue": "text"}


def test_a_table_holds_the_columns_of_all_sources_that_are_read(world: World) -> None:
    org = custom(world, ["value", "country"], ["plan", "country"])
    for table in (CUSTOM_EVENTS, ATTRIBUTED_EVENTS, UNIFIED_EVENTS):
        assert set(extra_of(declared(org, table))) == {"value", "country", "plan"}
    assert declared(org, ESP_EVENTS) is ESP_EVENTS
    assert set(extra_of(declared(custom(world, ["value"], ["plan"], custom=["redshift"]), UNIFIED_EVENTS))) == {"value"}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (["Country"], "is no name of a column"),
        (["9lives"], "is no name of a column"),
        (["a" * 64], "is no name of a column"),
        (["a b"], "is no name of a column"),
        (["country", "country"], "names country twice"),
        (["event_name"], "event_name is a column of the platform's own"),
        (["email_key"], "email_key is a column of the platform's own"),
        (["reason"], "reason is a column of the platform's own"),
        (["send_timestamp"], "send_timestamp is a column of the platform's own"),
        (["row"], "row is a column of the platform's own"),
        (["email"], "email says by its name that it holds personal data"),
        (["customer_id"], "customer_id says by its name"),
        (["shipping_address"], "shipping_address says by its name"),
        ({"value": "text"}, "value is what a custom event is worth, a number"),
        ({"country": "date"}, "must be 'text' or 'number'"),
        ([1], "list the names of columns"),
        (None, "list the names of columns"),
        (7, "list the names of columns"),
    ],
)
def test_org_check_refuses_what_cannot_be_a_declared_column(world: World, columns: Any, said: str) -> None:
    with pytest.raises(OrgFileError, match=r"sources\.databricks\.extra_columns") as caught:
        unified(world, columns)
    assert said in str(caught.value)


def test_one_name_is_of_one_kind_in_all_sources_of_an_org(world: World) -> None:
    with pytest.raises(OrgFileError, match="plan is text in one source and a number in another"):
        custom(world, ["plan"], {"plan": "number"})


def test_a_webhook_declares_no_column(world: World) -> None:
    with pytest.raises(OrgFileError, match=r"journey_webhooks\.extra_columns"):
        world.add_org(
            WEBHOOK_ORG,
            custom=["journey_webhooks"],
            sources={
                "iterable_webhooks": {},
                "journey_webhooks": {"events": {"290146": "purchase"}, "extra_columns": ["value"]},
            },
        )


def test_databricks_as_the_engine_carries_none(world: World) -> None:
    with pytest.raises(OrgFileError, match=r"engine: databricks does not carry extra_columns.*remove engine, so that"):
        world.add_org(
            WEBHOOK_ORG,
            engine="databricks",
            databricks={"wheel": "/Volumes/a/b/c/job.whl", "volume": "/Volumes/a/b/c"},
            custom=["redshift"],
            sources={"iterable_webhooks": {}, "redshift": {"content": "custom_events", "extra_columns": ["value"]}},
        )


@given(st.lists(st.floats(0, 1e12), min_size=2, max_size=50), st.randoms())
def test_amounts_add_up_to_the_same_bits_in_any_order(amounts: list[float], luck: random.Random) -> None:
    def added(values: list[float]) -> float:
        rows = pl.LazyFrame({"k": ["a"] * len(values), "v": values})
        found: float = rows.group_by("k").agg(exact_sum(pl.col("v"))).collect(engine="streaming")["v"].item()
        return found

    first = added(amounts)
    luck.shuffle(amounts)
    assert added(amounts) == first
    assert first == pytest.approx(math.fsum(amounts), rel=1e-12, abs=1e-4)
