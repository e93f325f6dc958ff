from __future__ import annotations

import io
from datetime import date

from rich.console import Console

from justai_assets.contract.days import Days
from justai_assets.contract.tables import ATTRIBUTION_METRICS, FATES
from justai_assets.lake.ledger import Fate, fates_frame
from justai_assets.settings import Settings
from justai_assets.show import output, show_fates, show_templates
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


def count(world: World, *rows: tuple[str, str, str, int, int, int]) -> None:
    """(template, campaign, event, window, events, conversions) rows of the day."""
    import polars as pl

    counts = dict.fromkeys(("messages", "sends", "opens", "machine_opens", "clicks", "unsubscribes"), 0)
    names = ("template_id", "campaign_id", "event_name", "window_hours", "events", "attributed_conversions")
    records = [{"event_date": DAY, **dict(zip(names, row, strict=True)), **counts} for row in rows]
    with world.lake.replacing("acme", ATTRIBUTION_METRICS, ONE) as writer:
        writer.write(DAY, pl.DataFrame(records, schema=ATTRIBUTION_METRICS.schema))


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
    world.add_org(WEBHOOK_ORG, templates=TEMPLATES, attribution={"windows": {"purchase": 48}})
    count(
        world,
        ("501", "9001", "emailSend", 48, 1000, 0), ("501", "9001", "emailOpen", 48, 300, 0),
        ("501", "9001", "purchase", 48, 24, 24),
        ("501", "9001", "purchase", 24, 3, 3), ("501", "9001", "purchase", 72, 90, 90),
        ("502", "9002", "emailSend", 48, 1000, 0), ("502", "9002", "purchase", 48, 20, 20),
        ("501", "9002", "purchase", 48, 500, 500),
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


def test_piped_output_is_as_wide_as_the_tables(monkeypatch, capsys) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert output().width == 124
