from __future__ import annotations

import httpx
import pytest

from justai_assets.sources.delta_share.share_errors import quoted, retry_after


@pytest.mark.parametrize(
    "said",
    [
        "denied https://b.s3/x.parquet?X-Amz-Signature=SECRET",
        "denied /files/x?X-Amz-Signature=SECRET&X-Amz-Expires=1",
        "bucket.s3.amazonaws.com/a.parquet?X-Amz-Signature=SECRET",
        "https:%2F%2Fb.s3/x%3FX-Amz-Signature%3DSECRET",
        '{"url":"https://b/x?sig=SECRET"}',
        "X-Amz-Signature=SECRET is too old",
        "sig=SECRET&se=2026-01-01",
        "token=SECRET",
        '"access_token": "SECRET"',
        'Authorization: "Bearer:SECRET"',
        "Basic SECRET=",
    ],
)
def test_no_key_to_a_file_is_quoted_in_whatever_form_a_server_repeats_it(said: str) -> None:
    assert "SECRET" not in quoted(said)


def test_ordinary_words_are_quoted_as_they_are() -> None:
    said = "table main.events.unified: version 3 is not available, the oldest is 12 (code: 404)"
    assert quoted(said) == said


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
