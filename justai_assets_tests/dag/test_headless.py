"""Runs without the UI: each day's numbers on its own materialization, and failures a person can read."""

from __future__ import annotations

import io

import dagster as dg
import polars as pl
import pytest
from rich.console import Console

from justai_assets.contract.days import Days
from justai_assets.contract.errors import JustAIError, StorageError
from justai_assets.contract.tables import ESP_EVENTS
from justai_assets.dag import headless
from justai_assets.dag.headless import materialize_days
from justai_assets_tests.world import TODAY, UNIFIED_ORG, WEBHOOK_ORG, World, esp

DAYS = Days.parse("2026-01-05", "2026-01-07")


def said(world: World, *names: str, days: Days = DAYS) -> tuple[bool, str]:
    text = io.StringIO()
    console = Console(file=text, width=200, soft_wrap=True)
    is_done = materialize_days(world.orgs["acme"], days, names, today=TODAY, console=console)
    return is_done, text.getvalue()


def test_a_ranged_run_gives_each_day_its_own_numbers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add_org(WEBHOOK_ORG)
    sends = [esp("emailSend", f"2026-01-05 10:00:0{second}") for second in range(3)]
    world.land("iterable_webhooks", "acme", "2026-01-05", [*sends, sends[0], "{broken"])
    world.land("iterable_webhooks", "acme", "2026-01-07", [esp("emailOpen", "2026-01-07 10:00:00")])
    with dg.DagsterInstance.ephemeral() as instance:
        from contextlib import contextmanager

        @contextmanager
        def kept():
            yield instance

        monkeypatch.setattr(headless, "instance", kept)
        is_done, text = said(world, "esp_events")
        assert is_done, text
        records = instance.fetch_materializations(dg.AssetKey(["acme", "esp_events"]), limit=10).records
        runs = instance.get_runs()
    assert len(runs) == 1
    of = {
        record.partition_key: record.asset_materialization.metadata
        for record in records
        if record.asset_materialization
    }
    numbers = {
        day: [metadata[name].value for name in ("dagster/partition_row_count", "received", "duplicate", "quarantined")]
        for day, metadata in of.items()
    }
    assert numbers == {"2026-01-05": [3, 5, 1, 1], "2026-01-06": [0, 0, 0, 0], "2026-01-07": [1, 1, 0, 0]}
    assert "`not_json`" in str(of["2026-01-05"]["reasons"].value)
    assert of["2026-01-05"]["rows written"].value == 4
    assert "2026-01-05: 3 rows (1 of 3 days)" in text


@pytest.mark.parametrize(("first", "last"), [("2025-12-31", "2026-01-02"), ("2026-01-31", "2026-02-02")])
def test_days_that_the_org_does_not_have_are_refused_before_anything_runs(first: str, last: str, world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    with pytest.raises(JustAIError, match=r"acme has the days 2026-01-01 … 2026-02-01.*start_date"):
        said(world, days=Days.parse(first, last))


def test_a_table_that_the_org_does_not_have_is_refused_with_those_it_has(world: World) -> None:
    world.add_org(UNIFIED_ORG, slug="acme")
    with pytest.raises(
        JustAIError, match=r"no table esp_events \(it has unified_events, attribution_metrics, message_outcomes\)"
    ):
        said(world, "esp_events", "unified_events")


def test_a_failure_is_said_in_full_whatever_brackets_it_holds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from justai_assets.sources import intake_build as build

    world.add_org(WEBHOOK_ORG)

    def failing(*_, **__):
        raise StorageError("[/red] the [bucket] is gone", mend="look at [it]")

    monkeypatch.setattr(build, "open_day", failing)
    is_done, text = said(world, "esp_events")
    assert not is_done
    assert "failed acme__esp_events: [/red] the [bucket] is gone (look at [it])" in text
    assert "Traceback" not in text


def test_a_check_that_fails_is_said_with_its_sums(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from justai_assets.sources import intake_build as build

    world.add_org(WEBHOOK_ORG)
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 10:00:00")])
    real = build._fates
    monkeypatch.setattr(build, "_fates", lambda *arguments: list(real(*arguments))[:1])
    is_done, text = said(world, "esp_events")
    assert not is_done
    assert "check failed acme/esp_events conservation" in text
    assert "2026-01-05: accepted 0, but the table holds 1" in text
    assert world.table(ESP_EVENTS).height == 1


def test_a_check_that_does_not_block_warns_and_the_run_is_done(world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    columns = {"event_timestamp": ["soon"], "event_name": ["signup"], "user_id_or_email": ["u"]}
    world.drop("redshift", "acme", "2026-01-05", pl.DataFrame(columns))
    is_done, text = said(world, "custom_events")
    assert is_done
    assert "check warns acme/custom_events schema_drift" in text
    assert "check failed" not in text
