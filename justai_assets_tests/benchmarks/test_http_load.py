import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.http_load import LoadResult, post, run_load
from justai_assets_tests.serving.nursery import running
from justai_assets_tests.serving.service import KEY, iterable_body, settings, write_orgs


@pytest.mark.serial
def test_every_request_is_answered_once_and_paced_as_told(tmp_path: Path) -> None:
    write_orgs(tmp_path)
    numbers: Counter[int] = Counter()
    with running(settings(tmp_path)) as service:

        def request(number: int) -> bytes:
            return post(
                "/api/webhook/itbl/acme", {"X-Api-Key": KEY}, json.dumps(iterable_body(number, pad="x" * 9000)).encode()
            )

        found = run_load(
            ("127.0.0.1", service.port),
            request,
            connections=8,
            seconds=1.0,
            per_second=200,
            on_answer=lambda number, status, body: numbers.update([number]) if status == 202 else None,
        )
    assert found.statuses == {202: len(numbers)}
    assert set(numbers.values()) == {1}
    assert 150 <= len(numbers) <= 201
    assert 0 < found.percentile(0.5) <= found.percentile(0.99) < 5


def test_nothing_measured_is_zero() -> None:
    assert (LoadResult().per_second, LoadResult().percentile(0.99)) == (0.0, 0.0)
