from __future__ import annotations

import io
from datetime import date

import polars as pl
from rich.console import Console

from justai_assets.contract.days import Days
from justai_assets.contract.tables import COPY_DAILY, EXPERIMENT_RESULTS, FATES
from justai_assets.experiments.copy_daily import counting_rule
from justai_assets.lake.ledger import Fate, fates_frame
from justai_assets.orgs.org_model import Org
from justai_assets.reporting.terminal_tables import output, show_fates, show_templates
from justai_assets.settings import Settings
from justai_assets_tests.world import WEBHOOK_ORG, World

DAY = date(2026, 1, 5)
ONE = Days(DAY, DAY)
TEMPLATES = [
    {"id": "welcome", "key_metric": "purchase", "treatment": {"template_id": "501", "campaign_id": "9001"},
     "control": {"template_id": "502", "campaign_id": "9002"}},
    {"id": "alone", "treatment": {"template_id": "7", "campaign_id": "7"}},
]  # fmt: skip


def shown(world: World, show) -> str:
    text = io.StringIO()
    show(Settings.from_environment(), list(world.orgs.values()), ONE, Console(file=text, width=160, highlight=False))
    return text.getvalue()


def put(world: World, *fates: Fate, asset: str = "esp_events") -> None:
    days = ONE if fates[0].day else None
    with world.lake.replacing("acme", FATES, days, partition={"asset": asset}) as writer:
        writer.write(fates[0].day, fates_frame(asset, fates))


def count(world: World, org: Org, *rows: tuple[str, str, str, int, int, int], last_day: date = DAY) -> None:
    """(template, arm, metric, window, messages, successes) rows of copy_daily."""
    names = ("template", "arm", "metric", "window_hours", "messages", "successes")
    own = {"open": 72, "click": 72, "conversion:purchase": 48}
    records = [
        {"send_date": DAY, "rule": counting_rule(org), **(row := dict(zip(names, values, strict=True))),
         "is_own_window": row["window_hours"] == own[row["metric"]]}
        for values in rows
    ]  # fmt: skip
    with world.lake.replacing("acme", COPY_DAILY, ONE) as writer:
        writer.write(DAY, pl.DataFrame(records, schema=COPY_DAILY.schema))
    result = {"event_date": DAY, "template": "welcome", "metric": "conversion:purchase", "is_key": True, "lift": 0.2, "last_day": last_day,
              "window_hours": 48, "is_own_window": True, "variance": "message", "is_enough": True, "note": "",
              "verdict": "ship", "reason": "key_metric_better", "decision": "Ship"}  # fmt: skip
    with world.lake.replacing("acme", EXPERIMENT_RESULTS, ONE) as writer:
        writer.write(DAY, pl.DataFrame([result], schema=EXPERIMENT_RESULTS.schema))


def test_every_fate_is_shown_with_its_reasons_and_undated_records_apart(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    put(
        world,
        Fate(DAY, "iterable_webhooks", "received", 1234567),
        Fate(DAY, "iterable_webhooks", "accepted", 1234565),
        Fate(DAY, "iterable_webhooks", "duplicate", 0),
        Fate(DAY, "iterable_webhooks", "quarantined", 2, "not_json"),
    )
    put(world, Fate(None, "iterable_webhooks", "quarantined", 5, "undated"))
    text = shown(world, show_fates)
    (line,) = [line for line in text.splitlines() if "1,234,567" in line]
    assert line.split() == ["acme/esp_events", "iterable_webhooks", "1,234,567", "1,234,565", "0", "2"]
    assert "acme/esp_events from iterable_webhooks: quarantined not_json 2" in text
    assert "iterable_webhooks, no date: quarantined undated 5" in text


def test_nothing_materialized_shows_empty_tables(world: World) -> None:
    world.add_org(WEBHOOK_ORG, templates=TEMPLATES)
    assert "What became of every record, 2026-01-05" in shown(world, show_fates)
    assert "acme/welcome" in shown(world, show_templates)


def test_an_arm_is_shown_by_its_orgs_own_window_with_its_lift(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG, templates=TEMPLATES, attribution={"windows": {"purchase": 48}})
    purchase = "conversion:purchase"
    count(
        world, org,
        ("welcome", "treatment", "open", 72, 1000, 300), ("welcome", "treatment", "click", 72, 1000, 0),
        ("welcome", "treatment", purchase, 48, 1000, 24), ("welcome", "treatment", purchase, 24, 1000, 3),
        ("welcome", "treatment", purchase, 72, 1000, 90), ("welcome", "control", "open", 72, 1000, 0),
        ("welcome", "control", "click", 72, 1000, 0), ("welcome", "control", purchase, 48, 1000, 20),
    )  # fmt: skip
    lines = [line.split() for line in shown(world, show_templates).splitlines()]
    (treatment,) = [line for line in lines if "treatment" in line and "acme/welcome" in line]
    assert treatment[1:] == [
        "purchase",
        "in",
        "48",
        "h",
        "treatment",
        "1,000",
        "300",
        "30.00%",
        "0",
        "0.00%",
        "24",
        "2.40%",
        "+20%",
    ]
    (control,) = [line for line in lines if line[:1] == ["control"]]
    assert control == ["control", "1,000", "0", "0.00%", "0", "0.00%", "20", "2.00%"]
    (alone,) = [line for line in lines if "acme/alone" in line]
    assert alone[-1] == "–"
    assert "The lift is over" not in shown(world, show_templates)


def test_a_lift_that_is_over_other_days_than_the_counts_beside_it_says_so(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG, templates=TEMPLATES, attribution={"windows": {"purchase": 48}})
    count(world, org, ("welcome", "treatment", "open", 72, 1000, 300), last_day=date(2026, 1, 3))
    said = "The lift is over the sends whose window is over, up to: acme/welcome 2026-01-03."
    assert said in shown(world, show_templates)


def test_piped_output_is_as_wide_as_the_tables(monkeypatch, capsys) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert output().width == 124
