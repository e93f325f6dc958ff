from pathlib import Path
from typing import Any

import pytest

from justai_assets.serving.collector_config import CollectorConfig, CollectorError, Limits


@pytest.mark.parametrize(
    "changes",
    [
        {"body_bytes": 0},
        {"json_depth": -1},
        {"org_requests_per_second": 0},
        {"header_bytes": 100},
        {"body_bytes": 1 << 30},
        {"in_flight_bytes": 1000},
        {"org_in_flight_share": 0.001},
    ],
)
def test_limits_that_cannot_work_are_an_error_with_a_mend(changes: dict[str, Any]) -> None:
    with pytest.raises(CollectorError) as refused:
        Limits(**changes)
    assert refused.value.mend


@pytest.mark.parametrize("changes", [{"segment_bytes": 0}, {"segment_seconds": 0}, {"access_log": "some"}])
def test_a_configuration_that_cannot_work_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(CollectorError):
        CollectorConfig(journal=Path("j"), landing="l", orgs_dir=Path("o"), **changes)


def test_the_defaults_work() -> None:
    assert CollectorConfig(journal=Path("j"), landing="l", orgs_dir=Path("o")).limits == Limits()
