"""A run that ends between any two of its commits leaves no day that says it is built and holds other rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

import polars as pl
import pytest

from justai_assets.attribution.build import build_attributed, build_unified
from justai_assets.contract.days import Days
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    ATTRIBUTION_METRICS,
    COPY_DAILY,
    CUSTOM_EVENTS,
    DELTA_SHARE,
    ESP_EVENTS,
    MESSAGE_OUTCOMES,
    SERVED_COPIES,
    UNIFIED_EVENTS,
    Table,
)
from justai_assets.dag.lookback import Lookback
from justai_assets.events.message_outcomes import build_message_outcomes
from justai_assets.experiments.attribution_metrics import build_metrics
from justai_assets.experiments.copy_daily_build import build_copy_daily
from justai_assets.lake.compaction import compact
from justai_assets.lake.ledger import ACCEPTED, Fate, fates_frame
from justai_assets.lake.store import Lake
from justai_assets.quality.punctuality import built_at
from justai_assets.sources.delta_share.day_commit import days_in_commit
from justai_assets.sources.delta_share.mirror_table import build_unified_from_mirror
from justai_assets.sources.intake_build import build_from_doors
from justai_assets.sources.lineage import org_tables
from justai_assets_tests.sources.generate.test_parse import NOON, record
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp, journey

DAY = date(2026, 1, 5)
ONE = Days(DAY, DAY)
NOW = datetime(2026, 2, 1, tzinfo=UTC)
TEMPLATES = [{"id": "welcome", "key_metric": "click", "treatment": {"template_id": "501", "campaign_id": "9001"}}]


class BrokenOffError(Exception):
    """The host died."""


@contextmanager
def ending_before(commit: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """End the run before its nth commit, counted from 0; the tables that were committed before."""
    real, done = Lake._commit, []

    def one(lake: Lake, slug: str, writer, note) -> None:
        if len(done) == commit:
            raise BrokenOffError
        real(lake, slug, writer, note)
        done.append(writer.table.name)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "_commit", one)
        yield done


def land(world: World, sends: int) -> None:
    """What lies in landing for the day: so many sends, and as many purchases and calls of Generate."""
    lines = [
        esp(
            "emailSend",
            f"2026-01-05 10:00:{n:02}",
            f"p{n}@example.com",
            messageId=f"m{n}",
            templateId=501,
            campaignId=9001,
        )
        for n in range(sends)
    ]
    world.land("iterable_webhooks", "acme", DAY, lines)
    calls = [record(event_timestamp=NOON - 7200, tracking_id=f"m{n}") for n in range(sends)]
    world.land("generate", "acme", DAY, calls)
    world.land(
        "journey_webhooks",
        "acme",
        DAY,
        [journey(f"2026-01-05 11:00:{n:02}", f"p{n}@example.com") for n in range(sends)],
    )


def mirror(world: World, sends: int) -> None:
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    rows = pl.DataFrame(
        {name: [] for name in DELTA_SHARE.schema} if not sends else {"event_timestamp": [at] * sends},
        schema_overrides=DELTA_SHARE.schema,
    )
    with days_in_commit(world.lake, "acme", ONE, {}) as commit:
        full = rows.with_columns(
            pl.lit("x" if dtype == pl.String else DAY if dtype == pl.Date else None, dtype).alias(name)
            for name, dtype in DELTA_SHARE.schema.items()
            if name != "event_timestamp"
        ).select(DELTA_SHARE.schema.names())
        assert commit.rows is not None
        commit.rows.write(DAY, full)
        commit.ledger.write(DAY, fates_frame(DELTA_SHARE.name, [Fate(DAY, DELTA_SHARE.name, ACCEPTED, sends)]))


def doors(table: Table, *names: str) -> Callable[[World, int], None]:
    def build(world: World, sends: int) -> None:
        land(world, sends)
        build_from_doors(world.orgs["acme"], world.landing, world.lake, table, names, ONE)

    return build


engagement = doors(ESP_EVENTS, "iterable_webhooks")
custom = doors(CUSTOM_EVENTS, "journey_webhooks")


def attributed(world: World, _: int) -> None:
    build_attributed(world.orgs["acme"], world.lake, ONE)


def unified(world: World, _: int) -> None:
    build_unified(world.orgs["acme"], world.lake, ONE)


def passed_on(world: World, _: int) -> None:
    build_unified_from_mirror("acme", world.lake, ONE)


served = doors(SERVED_COPIES, "generate")


def metrics(world: World, _: int) -> None:
    build_metrics(world.orgs["acme"], world.lake, ONE, now=NOW, landing=world.landing)


def outcomes(world: World, _: int) -> None:
    build_message_outcomes(world.orgs["acme"], world.lake, ONE)


def copies(world: World, _: int) -> None:
    build_copy_daily(world.orgs["acme"], world.lake, ONE, now=NOW, landing=world.landing)


Step = Callable[[World, int], None]
BUILDS: dict[str, tuple[Table, tuple[Step, ...]]] = {
    "engagement": (ESP_EVENTS, (engagement,)),
    "custom": (CUSTOM_EVENTS, (custom,)),
    "attributed": (ATTRIBUTED_EVENTS, (engagement, custom, attributed)),
    "unified": (UNIFIED_EVENTS, (engagement, custom, attributed, unified)),
    "mirror": (DELTA_SHARE, (mirror,)),
    "unified from the mirror": (UNIFIED_EVENTS, (mirror, passed_on)),
    "served": (SERVED_COPIES, (served,)),
    "metrics": (ATTRIBUTION_METRICS, (engagement, custom, attributed, metrics)),
    "outcomes": (MESSAGE_OUTCOMES, (engagement, custom, attributed, served, outcomes)),
    "copies": (COPY_DAILY, (engagement, custom, attributed, served, outcomes, copies)),
}


def rows_of(world: World, table: Table) -> list[str]:
    return sorted(map(repr, world.lake.scan("acme", table).collect().rows()))


def clear(world: World) -> None:
    for key in [found.key for found in world.lake.root.list("acme")]:
        world.lake.root.delete(key)


def test_every_table_that_an_org_can_have_is_broken_off_here(world: World) -> None:
    share = {"engagement": "delta_share", "sources": {"delta_share": {"profile": "env:PROFILE", "table": "a.b.c"}}}
    orgs = (
        world.add_org(WEBHOOK_ORG, templates=TEMPLATES),
        world.add_org(WEBHOOK_ORG, slug="initech", custom=[], sources={"iterable_webhooks": {}}),
        world.add_org(UNIFIED_ORG),
        world.add_org(UNIFIED_ORG, slug="hooli", **share),
    )
    assert {table.name for org in orgs for table in org_tables(org)} == {table.name for table, _ in BUILDS.values()}


@pytest.mark.parametrize("before", [None, 2, 0], ids=["never built", "built", "built empty"])
@pytest.mark.parametrize("now", [0, 5], ids=["nothing", "rows"])
@pytest.mark.parametrize("name", BUILDS)
def test_a_day_that_says_it_is_built_holds_the_rows_of_a_whole_build(
    name: str, now: int, before: int | None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, steps = BUILDS[name]
    world.add_org(WEBHOOK_ORG, templates=TEMPLATES)
    for step in steps:
        step(world, now)
    whole = rows_of(world, table)
    assert bool(whole) == bool(now)
    commit = 0
    is_over = False
    while not is_over:
        clear(world)
        if before is not None:
            for step in steps:
                step(world, before)
        old = rows_of(world, table)
        for step in steps[:-1]:
            step(world, now)
        was = built_at(world.lake, "acme", table.name, ONE)
        with ending_before(commit, monkeypatch) as done:
            try:
                steps[-1](world, now)
                is_over = True
            except BrokenOffError:
                pass
        at = built_at(world.lake, "acme", table.name, ONE)
        if table.name in done:
            compact(world.lake, "acme", table)
            assert rows_of(world, table) == whole
            if at == was and at:
                # The entry is older than the rows: it may stand only where it is true of them.
                assert rows_of(world, table) == old == []
        else:
            assert (rows_of(world, table), at) == (old, was), "nothing of it happened"
        steps[-1](world, now)
        assert rows_of(world, table) == whole
        assert DAY in built_at(world.lake, "acme", table.name, ONE)
        commit += 1
    assert commit > 1


def test_days_that_a_run_left_half_done_are_built_before_the_days_that_read_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = world.add_org(WEBHOOK_ORG)
    next_day = Days.parse("2026-01-06", "2026-01-06")
    for commit in range(3):
        with ending_before(commit, monkeypatch) as done, pytest.raises(BrokenOffError):
            engagement(world, 3 + commit)
        assert len(done) == commit
        lookback = Lookback.of(org)
        assert DAY in lookback.unbuilt(world.lake, next_day)
        assert DAY in lookback.needed(world.lake, world.landing, next_day)
    assert world.materialize("2026-01-06", "2026-01-06")
    assert len(rows_of(world, ESP_EVENTS)) == 5
    assert DAY not in Lookback.of(org).unbuilt(world.lake, next_day)
