import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.http_load import post, run_load
from justai_assets.serving import rate_limits as module
from justai_assets.serving.rate_limits import Rates, cost_of
from justai_assets_tests.serving.nursery import Nursery, served
from justai_assets_tests.serving.service import KEY, iterable_body, settings, write_orgs


def test_an_org_may_send_its_burst_and_then_its_rate() -> None:
    rates = Rates(10, 5)
    assert [rates.take("acme", 0.0) for _ in range(5)] == [0.0] * 5
    assert rates.take("acme", 0.0) == 0.1
    assert rates.take("acme", 0.1) == 0.0
    assert rates.take("acme", 0.15) > 0
    assert [rates.take("acme", 100.0) for _ in range(6)].count(0.0) == 5


def test_the_flood_of_one_org_takes_nothing_from_another() -> None:
    rates = Rates(10, 5)
    for _ in range(100):
        rates.take("flood", 0.0)
    assert rates.take("acme", 0.0) == 0.0


def test_what_other_workers_admitted_is_charged_once() -> None:
    rates = Rates(10, 5)
    rates.charge_others([], 0.0)
    rates.charge_others([("acme", 3)], 0.0)
    rates.charge_others([("acme", 3)], 0.0)
    assert [rates.take("acme", 0.0) for _ in range(3)] == [0.0, 0.0, 0.1]


def test_what_was_admitted_before_a_worker_began_is_not_charged_to_it() -> None:
    rates = Rates(10, 5)
    rates.charge_others([("acme", 1_000_000)], 0.0)
    assert rates.take("acme", 0.0) == 0.0
    rates.charge_others([("acme", 1_000_004)], 0.0)
    assert rates.take("acme", 0.0) > 0


def test_many_values_cost_as_much_as_many_bytes() -> None:
    assert cost_of(2_000, 256) == 1
    assert cost_of(20_000, 5_000) == cost_of(20_000) + (5_000 - 256) // 32


def test_a_debt_is_never_deeper_than_a_burst() -> None:
    rates = Rates(10, 5)
    rates.charge_others([], 0.0)
    rates.charge_others([("acme", 1_000_000)], 0.0)
    assert rates.take("acme", 0.0) == 0.6
    assert rates.take("acme", 0.61) == 0.0


@given(st.lists(st.floats(0, 0.05), min_size=1, max_size=400))
def test_over_any_time_no_more_than_burst_plus_rate_is_admitted(pauses: list[float]) -> None:
    rates, now, admitted = Rates(20, 7), 0.0, 0
    for pause in pauses:
        now += pause
        admitted += rates.take("acme", now) == 0.0
    assert admitted <= 7 + 20 * now + 1e-6


def test_a_clock_that_stands_still_or_goes_back_admits_nothing_extra() -> None:
    rates = Rates(10, 1)
    assert rates.take("acme", 5.0) == 0.0
    assert rates.take("acme", 4.0) > 0
    assert rates.take("acme", 4.0) > 0


@pytest.mark.parametrize(("size", "tokens"), [(0, 1), (4096, 1), (5119, 1), (5120, 2), (1 << 20, 1021)])
def test_a_body_costs_a_token_more_for_every_kilobyte_beyond_its_first_four(size: int, tokens: int) -> None:
    assert cost_of(size) == tokens


def test_what_costs_more_than_a_bucket_holds_passes_when_it_is_full_and_leaves_a_debt() -> None:
    rates = Rates(per_second=10, burst=20)
    assert rates.take("acme", 0.0, 100) == 0.0
    assert rates.take("acme", 0.0) == pytest.approx(8.1)
    assert rates.take("acme", 8.1) == 0.0
    assert rates.take("acme", 8.1, 100) == pytest.approx(2.0)


def test_what_is_charged_later_is_a_debt() -> None:
    rates = Rates(per_second=10, burst=20)
    rates.charge("acme", 0.0, 30)
    assert rates.take("acme", 0.0) == pytest.approx(1.1)
    assert rates.take("other", 0.0) == 0.0


def test_more_addresses_than_are_remembered_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BUCKETS", 3)
    rates = Rates(1, 1)
    assert [rates.take(name, 0.0) for name in ("a", "b", "c")] == [0.0] * 3
    assert rates.take("a", 0.0) > 0
    assert rates.take("d", 0.0) == 0.0
    assert rates.take("a", 0.0) == 0.0


def test_who_tries_credentials_is_slowed_down_and_nobody_else(tmp_path: Path, starter: Nursery) -> None:
    write_orgs(tmp_path)
    config = settings(tmp_path, refused_per_second=20.0, refused_burst=50.0)
    wrong = post("/api/webhook/itbl/acme", {"X-Api-Key": "wrong"}, b"{}")
    right = post("/api/webhook/itbl/acme", {"X-Api-Key": KEY}, json.dumps(iterable_body()).encode())
    with served(starter, config) as service:
        address = ("127.0.0.1", service.port)
        refused = run_load(address, lambda _: wrong, connections=4, seconds=2.0)
        taken = run_load(address, lambda _: right, connections=1, seconds=2.0, limit=20)
    assert set(refused.statuses) == {401}
    # 50 at once, 20 a second, and 4 connections of which each waits a tenth of a second: thousands without all this.
    assert 50 < refused.statuses[401] < 400
    assert taken.statuses == {202: 20}
    assert taken.percentile(0.5) < 0.1
