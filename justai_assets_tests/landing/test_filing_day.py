from datetime import UTC, date, datetime

import pytest

from justai_assets.landing.filing_day import filed_under
from justai_assets.sources.registry import envelopes_of

RECEIVED = datetime(2026, 1, 10, 12, tzinfo=UTC)
START = date(2026, 1, 1)


def test_each_source_has_its_own_time() -> None:
    assert envelopes_of("iterable_webhooks").event_time(
        {"dataFields": {"createdAt": "2026-01-05 12:41:03 +00:00"}}, RECEIVED
    ) == (datetime(2026, 1, 5, 12, 41, 3, tzinfo=UTC))
    assert envelopes_of("chameleon_webhooks").event_time({"sent_at": "2026-01-05T12:41:03Z"}, RECEIVED) == (
        datetime(2026, 1, 5, 12, 41, 3, tzinfo=UTC)
    )
    assert envelopes_of("journey_webhooks").event_time({"createdAt": "2020-01-01T00:00:00Z"}, RECEIVED) == RECEIVED
    assert envelopes_of("iterable_webhooks").event_time({"dataFields": "createdAt"}, RECEIVED) is None
    assert envelopes_of("iterable_webhooks").event_time({}, RECEIVED) is None


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ("2026-01-05 23:30:00 -01:00", date(2026, 1, 6)),
        ("2026-01-01 00:00:00 +00:00", date(2026, 1, 1)),
        ("2025-12-31 23:59:59 +00:00", None),
        ("2026-01-11 12:00:00 +00:00", date(2026, 1, 11)),
        ("2026-01-11 12:00:01 +00:00", None),
        ("", None),
    ],
)
def test_an_event_is_filed_under_its_own_day_in_utc_or_among_the_undated(created: str, expected: date | None) -> None:
    body = {"dataFields": {"createdAt": created}}
    assert filed_under("iterable_webhooks", body, RECEIVED, START) == expected
