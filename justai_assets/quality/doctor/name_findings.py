"""What the org file names and the lake has never seen: ids of templates, names of events."""

from __future__ import annotations

from collections.abc import Iterator

from justai_assets.contract.events import ENGAGEMENT_METRICS
from justai_assets.contract.tables import ATTRIBUTION_METRICS
from justai_assets.experiments.arms import CONTROL, TREATMENT
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org
from justai_assets.orgs.org_warnings import closest, event_names
from justai_assets.quality.doctor.finding import Finding

SHOWN = 8


def examine_named(lake: Lake, org: Org) -> Iterator[Finding]:
    """Template ids and event names that occur on no built day; nothing before a day is built."""
    rows = lake.scan(org.slug, ATTRIBUTION_METRICS)
    pairs = set(rows.select("template_id", "campaign_id").drop_nulls().unique().collect().iter_rows())
    if not pairs:
        return
    for template in org.templates:
        for name, arm in ((TREATMENT, template.treatment), (CONTROL, template.control)):
            if arm is None or (arm.template_id, arm.campaign_id) in pairs:
                continue
            ids = (arm.template_id, arm.campaign_id)
            said = f"{template.id}: no event has the ids of its {name}, template {arm.template_id} and campaign "
            yield Finding(
                org.slug,
                "templates",
                "warning",
                f"{said}{arm.campaign_id}",
                f"mend the ids, unless nothing was sent yet; there are {_near(ids, pairs)}",
            )
    seen = set(rows.select("event_name").unique().collect()["event_name"]) | {*ENGAGEMENT_METRICS}
    for key, name in event_names(org):
        if name not in seen:
            guess = closest(name, seen)
            mend = f"write {guess}" if guess else f"mend the name, or send the event; seen are {_some(sorted(seen))}"
            yield Finding(org.slug, "event names", "warning", f"{key}: {name} never occurred", mend)


def _near(ids: tuple[str, str], pairs: set[tuple[str, str]]) -> str:
    near = sorted(pair for pair in pairs if ids[0] == pair[0] or ids[1] == pair[1])
    return _some([f"template {template} with campaign {campaign}" for template, campaign in near or sorted(pairs)])


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
