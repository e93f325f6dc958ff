"""What won, as assets: judged from the lake, written, and shown."""

import base64
import random
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from justai_assets.cli import run
from justai_assets.contract.days import Days
from justai_assets.contract.tables import EXPERIMENT_RESULTS, FATES
from justai_assets.dag.headless import make_report
from justai_assets.dag.location import location
from justai_assets.dag.result_assets import results_keys
from justai_assets.experiments.org_results import judge, last_days
from justai_assets.experiments.results_table import RESULTS
from justai_assets.orgs.org_loader import Orgs
from justai_assets.reporting.report_files import previous_report, shelve_report
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, envelope, esp, journey

TEMPLATES = [
    {
        "id": "welcome",
        "key_metric": "purchase",
        "treatment": {"template_id": "501", "campaign_id": "9001"},
        "control": {"template_id": "502", "campaign_id": "9001"},
        "control_share": 0.5,
    }
]
FIRST, PEOPLE = date(2026, 1, 5), 60


def land(world: World, days: int = 3) -> None:
    """Every even person gets the new copy and every third of them buys; of the others every fifth."""
    luck = random.Random(5)
    world.add_org(WEBHOOK_ORG, templates=TEMPLATES, experiments={"target_lift": 0.25, "minimum_days": 3})
    for offset in range(days):
        day, lines, journeys = FIRST + timedelta(offset), [], []
        for person in range(PEOPLE):
            sent = datetime(day.year, day.month, day.day, 8, luck.randrange(60), tzinfo=UTC)
            ids = {"messageId": f"{luck.getrandbits(128):032x}", "templateId": 501 + person % 2, "campaignId": 9001}
            lines.append(esp("emailSend", f"{sent:%Y-%m-%d %H:%M:%S}", f"p{person}@example.com", **ids))
            opened = sent + timedelta(minutes=5)
            lines.append(esp("emailOpen", f"{opened:%Y-%m-%d %H:%M:%S}", f"p{person}@example.com", **ids))
            if person % (6 if person % 2 == 0 else 5) == 0:
                journeys.append(journey(f"{opened:%Y-%m-%d %H:%M:%S}", f"p{person}@example.com"))
        world.land("iterable_webhooks", "acme", day, lines)
        world.land("journey_webhooks", "acme", day, journeys)
    assert world.materialize(str(FIRST), str(FIRST + timedelta(days - 1)))


def test_the_table_holds_what_the_results_frame_holds() -> None:
    table = dict(EXPERIMENT_RESULTS.schema)
    assert table.pop("event_date") == pl.Date()
    assert table == {name: RESULTS[name] for name in table}
    assert set(table) == set(RESULTS.names())


def test_results_and_report_come_from_the_events_of_the_lake(any_world: World) -> None:
    land(any_world)
    assert make_report(any_world.orgs["acme"])

    rows = any_world.table(EXPERIMENT_RESULTS)
    assert set(rows["event_date"]) == {FIRST + timedelta(2)}
    (key,) = rows.filter(is_key=True).to_dicts()
    assert (key["treatment_messages"], key["treatment_successes"]) == (3 * 30, 3 * 10)
    assert (key["control_messages"], key["control_successes"]) == (3 * 30, 3 * 6)
    assert (key["metric"], key["window_hours"], key["variance"]) == ("conversion:purchase", 24, "user")
    assert key["expected_control_share"] == 0.5
    html = any_world.lake.root.read("acme/report/latest.html").decode()
    assert key["decision"] in html
    assert "@example.com" not in html
    dated = [one.name for one in any_world.lake.root.list("acme/report")]
    assert sorted(dated) == [f"{datetime.now(UTC).date()}.html", "latest.html"]


def test_a_newest_day_that_loses_its_sends_loses_its_judgement(world: World) -> None:
    land(world)
    assert make_report(world.orgs["acme"])
    last = FIRST + timedelta(2)
    world.land("iterable_webhooks", "acme", last, [])
    assert world.materialize(str(last), str(last))
    assert make_report(world.orgs["acme"])
    assert set(world.table(EXPERIMENT_RESULTS)["event_date"]) == {FIRST + timedelta(1)}


def test_the_assets_show_the_decision_the_path_and_a_picture(world: World) -> None:
    land(world, days=1)
    org = world.orgs["acme"]
    with dg.DagsterInstance.ephemeral() as instance:
        job = location(Orgs({"acme": org}, {})).resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(asset_selection=list(results_keys(org)), instance=instance)
    results, report = (
        result.asset_materializations_for_node("acme__experiment_results_and_report")[at] for at in (0, 1)
    )
    assert "welcome" in results.metadata["decisions"].value
    assert report.metadata["report"].value.endswith(".html")
    picture = report.metadata["preview"].value.partition("base64,")[2].rstrip(")")
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert len(picture) < 100_000, "it is kept in the event log of every run"


def test_an_org_without_events_has_no_report_and_no_failure(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_report(world.add_org(WEBHOOK_ORG))
    assert "there is nothing to judge" in capsys.readouterr().err
    assert world.table(EXPERIMENT_RESULTS).is_empty()
    assert not list(world.lake.root.list("acme/report"))
    (world.folder / "lake").mkdir(exist_ok=True)
    assert run(["report", "--org", "acme"]) == 1
    assert "justai materialize --org acme" in capsys.readouterr().err


def test_what_generate_served_tells_the_copies_of_a_template_apart_up_to_the_report(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Landed send records, through the assets, to the variants in the results, in the report, and in its metadata."""
    org = world.add_org(WEBHOOK_ORG, templates=[{**TEMPLATES[0], "key_metric": "click", "control_share": 0.333}])
    good, poor, original = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abc")
    lines, records = [], []
    for number in range(600):
        is_control = number % 3 == 0
        copy = original if is_control else (good, poor)[number % 2]
        message, person = f"{number:032x}", f"p{number}@example.com"
        ids = {"messageId": message, "templateId": 502 if is_control else 501, "campaignId": 9001}
        lines.append(esp("emailSend", f"{FIRST} 08:00:00", person, **ids))
        if number % (3 if copy == good else 7) == 1:
            lines.append(esp("emailClick", f"{FIRST} 09:00:00", person, **ids))
        body = {
            "event_timestamp": datetime(2026, 1, 5, 7, 59, 59, tzinfo=UTC).timestamp(),
            "user_id": person,
            "copy_id": copy,
            "template_id": "welcome",
            # A copied feed URL glued its next parameter to this one.
            "tracking_id": f"{message}©_id=" if number % 10 == 0 else message,
            "vars": {"subject": f"Hello {person}"},
            "attrs": {"city": "london"},
        }
        records.append(envelope(body, "2026-01-05T07:59:59Z"))
    world.land("iterable_webhooks", "acme", FIRST, lines)
    world.land("generate", "acme", FIRST, [*records, records[0], "{broken"])
    assert world.materialize(str(FIRST), str(FIRST))
    assert make_report(org)

    click = world.table(EXPERIMENT_RESULTS).filter(is_key=True)
    copies = {row["copy_id"]: row["treatment_messages"] for row in click.to_dicts()}
    assert copies == {None: 400, good: 200, poor: 200}, "the control's own copy is no variant"
    html = world.lake.root.read("acme/report/latest.html").decode()
    assert good in html
    assert poor in html
    assert "@example.com" not in html
    assert "london" not in html
    ledger = world.table(FATES).filter(pl.col("asset") == "served_copies", pl.col("records") > 0)
    assert sorted(ledger.select("fate", "reason", "records").rows(), key=str) == [
        ("accepted", None, 600), ("duplicate", None, 1), ("quarantined", "not_json", 1), ("received", None, 602),
    ]  # fmt: skip
    out = world.folder / "report.html"
    assert run(["report", "--org", "acme", "--out", str(out)]) == 0
    assert good in out.read_text(encoding="utf-8")
    capsys.readouterr()


def test_a_period_judged_day_by_day_equals_the_period_judged_at_once(world: World) -> None:
    """A person of several days is one person: the sums per person are over the whole period."""
    land(world)
    org = world.orgs["acme"]
    whole = judge(org, world.lake, Days(FIRST, FIRST + timedelta(2)))
    key = whole.results[0].key
    assert key is not None
    assert (key.comparison.treatment.users, key.comparison.treatment.messages) == (30, 90)
    assert whole.funnel.filter(pl.col("template").is_null())["sent"].sum() == 180
    # The same person buys every day or never: three messages tell little more than one.
    assert key.comparison.treatment.design_effect > 2


def test_a_unified_stream_is_judged_by_message(world: World) -> None:
    org = world.add_org(UNIFIED_ORG, templates=TEMPLATES)
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    rows = []
    for person in range(40):
        ids = (f"m{person}", str(501 + person % 2), "9001")
        rows.append(("emailSend", at, *ids))
        rows += [("purchase", at + timedelta(hours=1), *ids)] * (person % 4 == 0)
        rows += [("emailOpen", at + timedelta(hours=1), *ids)] * (person % 2)
    rows += [("emailSend", at, None, "501", "9001")] * 2
    names = ("event_name", "event_timestamp", "message_id", "template_id", "campaign_id")
    world.drop("databricks", "globex", "2026-01-05", pl.DataFrame(rows, schema=names, orient="row"))
    assert world.materialize("2026-01-05", "2026-01-05", org="globex")
    judged = judge(org, world.lake, Days(date(2026, 1, 5), date(2026, 1, 5)))
    key = judged.results[0].key
    assert key is not None
    assert (key.comparison.treatment.messages, key.comparison.treatment.successes) == (20, 10)
    assert (key.comparison.control.messages, key.comparison.control.successes) == (20, 0)
    assert key.comparison.variance == "message"
    opens = next(one for one in judged.results[0].metrics if one.metric == "open")
    assert opens.comparison.control.successes == 20
    assert judged.sends_without_message == 2


def test_the_period_ends_with_the_newest_day_that_holds_events(world: World) -> None:
    land(world, days=2)
    org, today = world.orgs["acme"], date(2026, 2, 1)
    assert last_days(org, world.lake, today, 2) == Days(FIRST, FIRST + timedelta(1))
    assert last_days(org, world.lake, today, 30) == Days(date(2026, 1, 1), FIRST + timedelta(1))
    assert last_days(org, world.lake, date(2026, 1, 2)) is None


def test_the_last_report_is_that_of_an_earlier_day(world: World) -> None:
    root, today = world.lake.root, datetime.now(UTC)
    assert previous_report(root, "acme", today) is None
    key = shelve_report(root, "acme", "<html>", today)
    assert key == f"acme/report/{today.date()}.html"
    assert previous_report(root, "acme", today) is None, "made again on the same day"
    found = previous_report(root, "acme", today + timedelta(days=1))
    assert found is not None
    assert abs(found - today) < timedelta(minutes=1)


def test_the_report_is_made_at_most_hourly_and_only_after_a_change(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG, templates=TEMPLATES)
    definitions = location(Orgs({"acme": org}, {}))
    results, report = results_keys(org)
    wanted = dg.AssetSelection.assets(results, report)
    at = datetime(2026, 1, 10, 12, 30, tzinfo=UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        cursor = None

        def requested(minutes: int, *, changed: bool) -> int:
            nonlocal cursor
            if changed:
                key = dg.AssetKey(["acme", "copy_daily"])
                instance.report_runless_asset_event(dg.AssetMaterialization(key, partition="2026-01-05"))
            found = dg.evaluate_automation_conditions(
                definitions,
                instance,
                asset_selection=wanted,
                cursor=cursor,
                evaluation_time=at + timedelta(minutes=minutes),
            )
            cursor = found.cursor
            return found.get_num_requested(report) + found.get_num_requested(results)

        assert requested(0, changed=False) == 0
        assert requested(10, changed=True) == 0, "within the hour"
        assert requested(31, changed=False) == 2, "the next hour, for what changed before"
        assert requested(40, changed=True) == 0, "already made this hour"
        assert requested(100, changed=False) == 2
        assert requested(170, changed=False) == 0, "nothing changed"


def test_the_command_writes_the_report_and_leaves_the_lake_alone(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    land(world)
    before = sorted(path for path in world.folder.glob("lake/**/*"))
    out = world.folder / "out" / "report.html"
    asked = ["report", "--org", "acme", "--from", str(FIRST), "--to", str(FIRST + timedelta(2)), "--out", str(out)]
    assert run(asked) == 0
    assert "welcome: Too few to say" in capsys.readouterr().out
    assert "What won at acme" in out.read_text(encoding="utf-8")
    assert sorted(path for path in world.folder.glob("lake/**/*")) == before
    assert run([*asked[:3], "--from", "2025-01-01"]) == 1
