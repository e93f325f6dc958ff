"""Where an org's reports lie: `{lake}/{org}/report/YYYY-MM-DD.html` by the day they were made, and `latest.html`."""

from __future__ import annotations

from datetime import UTC, date, datetime

from justai_assets.contract.errors import StorageError
from justai_assets.orgs.org_model import SLUG
from justai_assets.storage import Root

_LATEST = "latest"


def report_prefix(slug: str) -> str:
    """The folder of an org's reports, below the lake root."""
    if not SLUG.fullmatch(slug):
        raise StorageError(f"{slug!r} is not an org slug")
    return f"{slug}/report"


def previous_report(root: Root, slug: str, now: datetime) -> datetime | None:
    """When the newest report of an earlier day (UTC) was written; None when this is the first.

    Of an earlier day, so that a report made again in the afternoon still says what moved since yesterday.
    """
    times = [
        found.modified
        for found in root.list_flat(report_prefix(slug))
        if (day := _day(found.name)) is not None and day < now.astimezone(UTC).date()
    ]
    return max(times) if times else None


def shelve_report(root: Root, slug: str, html: str, now: datetime) -> str:
    """Write the report of a day, and as the latest; returns its key below the lake root."""
    key = f"{report_prefix(slug)}/{now.astimezone(UTC):%Y-%m-%d}.html"
    content = html.encode()
    root.write(key, content)
    root.write(f"{report_prefix(slug)}/{_LATEST}.html", content)
    return key


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(name.removesuffix(".html"))
    except ValueError:
        return None
