from __future__ import annotations

import httpx
import pytest

from justai_assets.sources.delta_share.share_errors import retry_after

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("said", "date", "seconds"),
    [
        ("120", "", 120),
        ("0.5", "", 0.5),
        ("-3", "", 0),
        ("Wed, 21 Oct 2026 07:30:00 GMT", DATE, 120),
        ("Wed, 21 Oct 2026 07:20:00 GMT", DATE, 0),
        ("Wed, 21 Oct 2026 07:30:00 GMT", "", None),
        ("soon", DATE, None),
        ("inf", "", None),
        ("", "", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_servers_own_clock(said: str, date: str, seconds: float | None) -> None:
    assert retry_after(httpx.Response(503, headers={"Retry-After": said, "Date": date})) == seconds
