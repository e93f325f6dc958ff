"""The marts say what independent SQL over the unified stream says, and add up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from justai_assets.contract.days import Days
from justai_assets.contract.events import CLICKS, ENGAGEMENT, OPENS, SENDS
from justai_assets.contract.tables import ATTRIBUTED_EVENTS, CUSTOM_EVENTS, ESP_EVENTS, FATES, UNIFIED_EVENTS
from justai_assets.lake.ledger import Fate, fates_frame
from justai_assets.sources.intake_build import build_from_doors
from justai_assets_tests.conftest import make_world
from justai_assets_tests.experiments.dbt_builds import Marts
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp, journey

pytestmark = pytest.mark.slow

MARTS = (
    *("dim_template", "fct_message_funnel", "fct_campaign_daily", "fct_template_daily", "fct_event_daily"),
    *("rpt_org_health", "rpt_undated"),
)
DAY = {
    **dict.fromkeys(("fct_message_funnel", "fct_campaign_daily", "fct_template_daily"), "send_date"),
    **dict.fromkeys(("fct_event_daily", "rpt_org_health"), "event_date"),
}
"""The day of a mart: of the send, or of the event."""
NAMES = {
    "sends": {*SENDS, "letterSend"},
    "opens": OPENS,
    "clicks": CLICKS,
    "engagement": {*ENGAGEMENT, "letterSend"},
}
TEMPLATES = [
    {
        "id": "welcome",
        "key_metric": "purchase",
        "treatment": {"template_id": "501", "campaign_id": "9001"},
        "control": {"template_id": "502", "campaign_id": "9001"},
    }
]
FIRST = date(2026, 1, 5)


def land(world: World) -> None:
    """Two orgs: webhooks with machine opens, late opens, unattributed purchases; and a unified stream."""
    world.add_org(WEBHOOK_ORG, templates=TEMPLATES)
    world.add_org(UNIFIED_ORG, templates=TEMPLATES, attribution={"send_events": ["emailSend", "letterSend"]})
    for offset in range(3):
        day = FIRST + timedelta(offset)
        lines: dict[date, list[str]] = {}
        journeys = []
        for person in range(24):
            sent = datetime(day.year, day.month, day.day, 10, person, tzinfo=UTC)
            ids = {"messageId": f"{offset:016x}{person:016x}", "templateId": 501 + person % 3, "campaignId": 9001}
            email = f"p{person}@example.com"

            def say(name: str, after: timedelta, sent=sent, email=email, ids=ids, lines=lines, **more: object) -> None:
                at = sent + after
                lines.setdefault(at.date(), []).append(esp(name, f"{at:%Y-%m-%d %H:%M:%S}", email, **ids, **more))

            say("emailSend", timedelta())
            if person % 2:
                say("emailOpen", timedelta(hours=30), proxySource="APPLE")
            if person % 3 == 0:
                say("emailOpen", timedelta(hours=1))
                say("emailClick", timedelta(hours=2))
            if person % 5 == 0:
                say("emailUnSubscribe", timedelta(hours=40))
            if person % 4 == 0:
                at = sent + timedelta(hours=3 if person else 25)
                journeys.append(journey(f"{at:%Y-%m-%d %H:%M:%S}", email if person else "stranger@example.com"))
        for when, some in lines.items():
            world.land("iterable_webhooks", "acme", when, some, f"of-{day}")
        for line in journeys:
            when = json.loads(line)["received_at"][:10]
            world.land("journey_webhooks", "acme", when, [line], f"{json.loads(line)['id'][:9]}")
        at = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
        rows = [("letterSend", at, f"g{day}{one}", "501", "9001") for one in range(10)]
        rows += [("emailOpen", at + timedelta(hours=one * 9), f"g{day}{one}", "501", "9001") for one in range(10)]
        rows += [("purchase", at + timedelta(hours=1), f"g{day}{one}", "501", "9001") for one in (1, 1, 4)]
        names = ("event_name", "event_timestamp", "message_id", "template_id", "campaign_id")
        frame = pl.DataFrame(rows, schema=names, orient="row")
        for when in frame["event_timestamp"].dt.date().unique():
            some = frame.filter(pl.col("event_timestamp").dt.date() == when)
            world.drop("databricks", "globex", when, some, f"of-{day}")
    for slug in ("acme", "globex"):
        assert world.materialize(str(FIRST), str(FIRST + timedelta(6)), org=slug)


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marts]:
    folder = tmp_path_factory.mktemp("marts")
    with pytest.MonkeyPatch.context() as patch:
        world = make_world(folder, str(folder / "landing"), str(folder / "lake"), patch)
        land(world)
        found = Marts(world, folder)
        found.build_apart()
        yield found


@pytest.fixture
def sql(marts: Marts) -> Iterator[Callable[..., list[tuple]]]:
    """Ask the marts; `unified` is the unified stream of both orgs, read by Polars."""
    with duckdb.connect(str(marts.folder / "marts.duckdb"), read_only=True) as connection:
        for table in (UNIFIED_EVENTS, ATTRIBUTED_EVENTS, ESP_EVENTS):
            frames = [marts.world.table(table, slug).with_columns(org=pl.lit(slug)) for slug in ("acme", "globex")]
            connection.register(table.name, pl.concat(frames).to_arrow())
        for name, names in NAMES.items():
            connection.register(name, pl.DataFrame({"event_name": sorted(names)}).to_arrow())
        yield lambda query: connection.execute(query).fetchall()


def test_every_column_is_documented_and_none_is_about_a_person(marts: Marts, sql: Callable[..., list[tuple]]) -> None:
    manifest = json.loads((marts.folder / "target" / "manifest.json").read_text(encoding="utf-8"))
    for name in MARTS:
        described = manifest["nodes"][f"model.justai.{name}"]["columns"].values()
        documented = {column["name"]: column["description"] for column in described}
        columns = [row[0] for row in sql(f"select column_name from (describe {name})")]
        assert sorted(documented) == sorted(columns), name
        assert all(documented.values()), name
        assert not {"email_key", "user_key", "event_id", "source_file"} & set(columns)


def test_rebuilding_days_equals_rebuilding_everything_also_when_a_day_became_empty(marts: Marts) -> None:
    world = marts.world
    (gone, *_) = [one.key for one in world.landing.list("webhooks/iterable/acme") if f"{FIRST}/of-" in one.key]
    kept = world.landing.read(gone)
    world.landing.delete(gone)
    try:
        assert world.materialize(str(FIRST), str(FIRST + timedelta(6)))
        days = json.dumps({"from_date": str(FIRST), "to_date": str(FIRST)})
        marts.build("--vars", days, "--exclude-resource-type", "unit_test")
        whole = marts.build("--exclude-resource-type", "unit_test", folder="whole")
        with duckdb.connect(str(whole), read_only=True) as connection:
            connection.execute(f"attach '{marts.folder / 'marts.duckdb'}' as part (read_only)")
            for name in MARTS:
                ours, theirs = (
                    connection.execute(f"select * from {db} where {when} order by all").fetchall()
                    for db in (f"part.{name}", f"marts.{name}")
                    for when in (["true"] if name not in DAY else [f"{DAY[name]} = '{FIRST}'"])
                )
                assert ours == theirs, name
            left = f"select count(*) from part.fct_message_funnel where org = 'acme' and send_date = '{FIRST}'"
            assert connection.execute(left).fetchall() == [(0,)]
    finally:
        world.landing.write(gone, kept)


def rows(path: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


def days_var(first: str, last: str) -> tuple[str, ...]:
    return ("--vars", json.dumps({"from_date": first, "to_date": last}), "--exclude-resource-type", "unit_test")


@pytest.fixture
def empty(world: World, tmp_path: Path) -> Marts:
    """A world without a landing, and no marts yet."""
    return Marts(world, tmp_path)


def test_a_message_sent_on_two_days_is_one_message_whichever_send_came_first_to_us(empty: Marts) -> None:
    world = empty.world
    world.add_org(WEBHOOK_ORG, templates=TEMPLATES)
    ids = {"templateId": 501, "campaignId": 9001}

    def send(day: str, message: str, name: str) -> None:
        world.land(
            "iterable_webhooks", "acme", day, [esp("emailSend", f"{day} 12:00:00", messageId=message, **ids)], name
        )

    send("2026-01-08", "retried", "a")
    send("2026-01-05", "used-again", "a")
    send("2026-01-09", "used-again", "b")
    assert world.materialize("2026-01-02", "2026-01-12")
    empty.build(*days_var("2026-01-02", "2026-01-12"))

    send("2026-01-06", "retried", "late")
    assert world.materialize("2026-01-06", "2026-01-06")
    # What a changed 6 Jan asks for: the three days before, which it follows, and the three after, which it precedes.
    changed = empty.build(*days_var("2026-01-03", "2026-01-09"))
    whole = empty.build("--exclude-resource-type", "unit_test", folder="whole")
    query = "select send_date, message_id, sends from fct_message_funnel order by all"
    assert rows(changed, query) == [
        (date(2026, 1, 5), "used-again", 1),
        (date(2026, 1, 6), "retried", 2),
        (date(2026, 1, 9), "used-again", 1),
    ], "beyond three days, an id that is used again is another message"
    assert rows(whole, query) == rows(changed, query)
    sent = "select sum(sent) from fct_campaign_daily"
    assert rows(changed, sent) == rows(whole, sent) == [(3,)]


def test_a_broken_day_of_one_org_warns_with_its_rows_and_the_other_marts_are_built(empty: Marts) -> None:
    world = empty.world
    world.add_org(WEBHOOK_ORG, templates=TEMPLATES)
    ids = {"messageId": "m1", "templateId": 501, "campaignId": 9001}
    world.land("iterable_webhooks", "acme", "2026-01-05", [esp("emailSend", "2026-01-05 12:00:00", **ids)])
    assert world.materialize("2026-01-05", "2026-01-05")
    with world.lake.replacing(
        "acme", FATES, Days.parse("2026-01-05", "2026-01-05"), partition={"asset": "esp_events"}
    ) as ledger:
        fates = [Fate(FIRST, "iterable_webhooks", "received", 5), Fate(FIRST, "iterable_webhooks", "accepted", 1)]
        ledger.write(FIRST, fates_frame("esp_events", fates))
    path = empty.build(*days_var("2026-01-05", "2026-01-05"), expected=("records_are_conserved",))
    assert rows(path, "select org, asset, received, accounted from main_dbt_test__audit.records_are_conserved") == [
        ("acme", "esp_events", 5, 1)
    ]
    assert rows(path, "select sum(sent) from fct_template_daily") == [(1,)]


def test_health_has_a_row_for_what_was_never_built_and_shows_what_has_no_day(empty: Marts) -> None:
    world = empty.world
    world.add_org(WEBHOOK_ORG, templates=TEMPLATES, start_date=date(2026, 1, 4))
    ids = {"messageId": "m1", "templateId": 501, "campaignId": 9001}
    send = esp("emailSend", "2026-01-06 12:00:00", **ids)
    world.land("iterable_webhooks", "acme", "2026-01-06", [send])
    world.land("journey_webhooks", "acme", "2026-01-06", [journey("2026-01-06 13:00:00")])
    world.land("journey_webhooks", "acme", None, [journey("2026-01-02 13:00:00")])
    columns = {"event_timestamp": [datetime(2026, 1, 6, 14, tzinfo=UTC)], "event_name": ["signup"]}
    frame = pl.DataFrame({**columns, "user_id_or_email": ["u"], "store": ["9"]})
    world.drop("redshift", "acme", "2026-01-06", frame)
    assert world.materialize("2026-01-06", "2026-01-06")
    build_from_doors(world.orgs["acme"], world.landing, world.lake, CUSTOM_EVENTS, ("journey_webhooks",), None)
    path = empty.build("--exclude-resource-type", "unit_test")
    query = (
        "select event_date, door, is_built, received, late_records from rpt_org_health where door in ({}) order by all"
    )
    # The days before are built where sends are looked for; nobody has asked for their custom events.
    for door, late, received in (("iterable_webhooks", 0, 0), ("journey_webhooks", 0, None), ("redshift", None, None)):
        found = rows(path, query.format(f"'{door}'"))
        assert [(row[0], row[3]) for row in found[:2]] == [(date(2026, 1, day), received) for day in (4, 5)]
        assert [row[2] for row in found] == [received is not None, received is not None, True]
        assert found[2][3:] == (1, late), door
    undated = [("acme", "custom_events", "journey_webhooks", "before_start", 1)]
    assert rows(path, "select * from rpt_undated") == undated


def test_a_template_named_today_has_its_past_at_once(empty: Marts) -> None:
    world = empty.world
    world.add_org(WEBHOOK_ORG)
    for day in ("2026-01-05", "2026-01-06"):
        ids = {"messageId": f"m{day}", "templateId": 501, "campaignId": 9001}
        world.land("iterable_webhooks", "acme", day, [esp("emailSend", f"{day} 12:00:00", **ids)])
    assert world.materialize("2026-01-05", "2026-01-06")
    path = empty.build(*days_var("2026-01-05", "2026-01-06"))
    assert rows(path, "from fct_template_daily") == []
    world.add_org(WEBHOOK_ORG, templates=TEMPLATES)
    empty.build(*days_var("2026-01-06", "2026-01-06"))
    assert rows(path, "select send_date, template, arm, sent from fct_template_daily order by all") == [
        (date(2026, 1, 5), "welcome", "treatment", 1),
        (date(2026, 1, 6), "welcome", "treatment", 1),
    ]
