"""The demo's org files."""

from __future__ import annotations

from datetime import date

from justai_assets.demo.demo_home import DemoPlace

WEBHOOK_ORG = "acme"
WAREHOUSE_ORG = "globex"
SHARE_ORG = "initech"
SHARED_TABLE = "initech_share.marketing.justwords_unified"
PURCHASE_WORKFLOW = "290146"

_WEBHOOK_ORG = """\
# An org by webhooks: Iterable sends engagement, Journeys send purchases, Redshift drops signups with a value.
slug: {slug}
start_date: {start}
pseudonym_salt: {salt}
engagement: iterable_webhooks
custom: [journey_webhooks, redshift]
sources:
  iterable_webhooks: {{api_key: "{key}"}}
  journey_webhooks: {{api_key: "{key}", events: {{"{workflow}": purchase}}}}
  redshift: {{content: custom_events, extra_columns: [value]}}
attribution: {{window_hours: 24, windows: {{purchase: 72}}}}
templates:
  - id: welcome-email
    key_metric: purchase
    treatment: {{template_id: "501", campaign_id: "9001"}}
    control: {{template_id: "502", campaign_id: "9002"}}
    control_share: 0.2
  - id: spring-sale
    key_metric: signup
    treatment: {{template_id: "503", campaign_id: "9003"}}
    control: {{template_id: "504", campaign_id: "9004"}}
    control_share: 0.2
"""

_WAREHOUSE_ORG = """\
# An org by warehouse: Databricks joins and scrubs on its side and drops the unified stream.
slug: {slug}
start_date: {start}
pseudonym_salt: {salt}
engagement: databricks
sources:
  databricks: {{content: unified_events, extra_columns: [value]}}
attribution: {{window_hours: 24}}
templates:
  - id: onboarding
    key_metric: upgrade
    treatment: {{template_id: "601", campaign_id: "9101"}}
    control: {{template_id: "602", campaign_id: "9102"}}
    control_share: 0.2
"""

_SHARE_ORG = """\
# An org by Delta Sharing: it writes nothing to us, and shares a view of its unified stream. The share is served while
# `justai demo` runs, and no longer: `justai doctor --org initech` then says that its server cannot be reached.
slug: {slug}
start_date: {start}
pseudonym_salt: {salt}
engagement: delta_share
sources:
  delta_share: {{profile: "file:../secrets/initech.share", table: {table}}}
attribution: {{window_hours: 24}}
templates:
  - id: digest
    key_metric: visit
    control_share: 0.2
    treatment: {{template_id: "701", campaign_id: "9201"}}
    control: {{template_id: "702", campaign_id: "9202"}}
"""


def write_share_org(place: DemoPlace, start: date) -> None:
    """Write the file of the org that shares a table; its credential file is written by the server of the share."""
    text = _SHARE_ORG.format(slug=SHARE_ORG, start=start, salt=place.secret(f"{SHARE_ORG}-salt"), table=SHARED_TABLE)
    (place.orgs_dir / f"{SHARE_ORG}.yaml").write_text(text, encoding="utf-8")


def write_orgs(place: DemoPlace, start: date) -> None:
    """Write the org files and their secrets."""
    files = {
        WEBHOOK_ORG: _WEBHOOK_ORG.format(
            slug=WEBHOOK_ORG,
            start=start,
            salt=place.secret(f"{WEBHOOK_ORG}-salt"),
            key=place.secret(f"{WEBHOOK_ORG}-api-key"),
            workflow=PURCHASE_WORKFLOW,
        ),
        WAREHOUSE_ORG: _WAREHOUSE_ORG.format(
            slug=WAREHOUSE_ORG, start=start, salt=place.secret(f"{WAREHOUSE_ORG}-salt")
        ),
    }
    for slug, text in files.items():
        (place.orgs_dir / f"{slug}.yaml").write_text(text, encoding="utf-8")
