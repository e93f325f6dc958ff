"""The last two days of the demo, for tests of commands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from justai_assets.contract.days import Days

LAST = datetime.now(UTC).date() - timedelta(days=1)
JANUARY = ["backfill", "--org", "acme", "--from", "2026-01-01", "--to", "2026-01-02"]
DAYS = Days(LAST - timedelta(days=1), LAST)
