"""message_outcomes, copy_daily and the results are those of a fresh build, however their days came to be built."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from justai_assets.contract.tables import COPY_DAILY, EXPERIMENT_RESULTS, MESSAGE_OUTCOMES
from justai_assets.experiments.experiment_start import shown_days, starts_of
from justai_assets.experiments.org_results import judge, last_days, write_results
from justai_assets.lake.store import Lake
from justai_assets.storage import Root
from justai_assets_tests.conftest import make_world
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp

pytestmark = pytest.mark.slow

FIRST, LAST = "2026-01-05", "2026-01-09"
DAYS = (5, 6, 7)
"""Days of sends; what follows them goes on for two days."""
TEMPLATES = [
    {
        "id": "welcome",
        "key_metric": "purchase",
        "control_share": 0.5,
        "treatment": {"template_id": "501", "campaign_id": "9001"},
        "control": {"template_id": "502", "campaign_id": "9001"},
    }
]
Event = tuple[str, datetime, str, int, float | None]


def happened(day: int, people: int = 40) -> Iterator[Event]:
    """(name, time, message, number of the person, value) of a day's messages; one in ten is sent again the next day."""
    for number in range(people):
        sent, message = datetime(2026, 1, day, 8, number, tzinfo=UTC), f"{day:02x}{number:030x}"
        yield "emailSend", sent, message, number, None
        if number % 10 == 0:
            yield "emailSend", sent + timedelta(days=1), message, number, None
        if number % 3 == 0:
            yield "emailOpen", sent + timedelta(hours=(1, 30, 47)[number % 9 // 3]), message, number, None
        if number % 4 == 0:
            yield "purchase", sent + timedelta(hours=(2, 20, 40)[number % 3]), message, number, number / 7


@dataclass
class Week:
    """A world with one org, whose events are landed by the day that they belong to."""

    world: World
    org: str

    def land(self, events: list[Event], name: str) -> None:
        """Land some events in objects of a name, one a day."""
        for day in sorted({at.date() for _, at, *_ in events}):
            self.write(day, [event for event in events if event[1].date() == day], name)

    def write(self, day: date, events: list[Event], name: str) -> None:
        """Write, or overwrite, the objects of a name and day."""
        if self.org == "globex":
            rows = [(what, at, message, *ids(number), value) for what, at, message, number, value in events]
            names = ("event_name", "event_timestamp", "message_id", "template_id", "campaign_id", "value")
            self.world.drop("databricks", "globex", day, _frame(rows, names), name)
            return
        engagement = [event for event in events if event[0] != "purchase"]
        lines = [
            esp(what, f"{at:%Y-%m-%d %H:%M:%S}", f"p{number}@example.com", messageId=message,
                templateId=501 + number % 2, campaignId=9001)
            for what, at, message, number, _ in engagement
        ]  # fmt: skip
        self.world.land("iterable_webhooks", "acme", day, lines, name)
        bought = [
            (at, what, f"p{number}@example.com", value) for what, at, _, number, value in events if what == "purchase"
        ]
        names = ("event_timestamp", "event_name", "user_id_or_email", "value")
        self.world.drop("redshift", "acme", day, _frame(bought, names), name)
        call = {"event_timestamp": 0, "tracking_id": "none", "copy_id": "copy"}
        calls = [
            json.dumps({"id": message, "received_at": at.isoformat(), "query": {},
                        "body": {**call, "event_timestamp": at.timestamp() - 2, "tracking_id": message,
                                 "copy_id": f"copy-{number // 2 % 2}"}})
            for what, at, message, number, _ in engagement
            if what == "emailSend" and number % 2 == 0
        ]  # fmt: skip
        self.world.land("generate", "acme", day, calls, name)

    def build(self, first: str, last: str) -> None:
        """Build days as an operator does."""
        assert self.world.materialize(first, last, org=self.org)

    def tables(self) -> dict[str, pl.DataFrame]:
        """The rows of the three tables, after the experiments were judged; of the results, the newest ones.

        The results of days before stay as what was said then.
        """
        org, lake = self.world.orgs[self.org], self.world.lake
        days = last_days(org, lake, date.fromisoformat(LAST))
        assert days is not None
        starts = starts_of(org, lake, days.last)
        write_results(
            org, lake, judge(org, lake, shown_days(days, starts), starts=starts), until=date.fromisoformat(LAST)
        )
        found = {one.name: self.world.table(one, self.org) for one in (MESSAGE_OUTCOMES, COPY_DAILY)}
        results = self.world.table(EXPERIMENT_RESULTS, self.org)
        return {**found, EXPERIMENT_RESULTS.name: results.filter(pl.col("event_date") == pl.col("event_date").max())}


def ids(number: int) -> tuple[str, str]:
    return f"{501 + number % 2}", "9001"


def _frame(rows: list[tuple], names: tuple[str, ...]) -> pl.DataFrame:
    types = {"event_timestamp": pl.Datetime("us", "UTC"), "value": pl.Float64}
    return pl.DataFrame(rows, schema={name: types.get(name, pl.String()) for name in names}, orient="row")


@pytest.fixture(scope="module", params=["acme", "globex"])
def week(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    folder = tmp_path_factory.mktemp("any-order")
    with pytest.MonkeyPatch.context() as patch:
        world = make_world(folder, str(folder / "landing"), str(folder / "lake"), patch)
        columns = {"extra_columns": ["value"]}
        redshift = {"redshift": {"content": "custom_events", **columns}}
        sources = {**WEBHOOK_ORG["sources"], **redshift}
        more = {"templates": TEMPLATES, "start_date": date(2026, 1, 2)}
        world.add_org(WEBHOOK_ORG, sources=sources, **more)
        world.add_org(UNIFIED_ORG, sources={"databricks": {"content": "unified_events", **columns}}, **more)
        found = Week(world, request.param)
        for day in DAYS:
            found.land(list(happened(day)), f"of-{day}")
        yield found


@pytest.fixture
def fresh(week: Week, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], dict[str, pl.DataFrame]]:
    """What a build of all days as one range, into an empty lake, gives of what is landed now."""

    def build() -> dict[str, pl.DataFrame]:
        other = World(week.world.folder, week.world.landing, Lake(Root.parse(str(tmp_path))), week.world.orgs)
        with monkeypatch.context() as patch:
            patch.setenv("JUSTAI_LAKE", str(tmp_path))
            anew = Week(other, week.org)
            anew.build(FIRST, LAST)
            return anew.tables()

    return build


def assert_same(found: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> None:
    for name, rows in expected.items():
        assert rows.height > 10
        assert found[name].equals(rows), name


def test_days_built_one_by_one_in_any_order_are_those_of_the_range(
    week: Week, fresh: Callable[[], dict[str, pl.DataFrame]]
) -> None:
    for day in ("2026-01-07", "2026-01-05", "2026-01-09", "2026-01-06", "2026-01-08"):
        week.build(day, day)
    found = week.tables()
    assert found[COPY_DAILY.name]["value"].sum() > 0
    assert found[MESSAGE_OUTCOMES.name]["sends"].max() == 2
    assert_same(found, fresh())


def test_late_events_a_rewritten_day_and_an_emptied_day_give_what_a_fresh_build_gives(
    week: Week, fresh: Callable[[], dict[str, pl.DataFrame]]
) -> None:
    if week.world.table(MESSAGE_OUTCOMES, week.org).is_empty():
        week.build(FIRST, LAST)
    sent = "05" + f"{1:030x}"
    at = datetime(2026, 1, 6, 20, tzinfo=UTC)
    late: list[Event] = [
        ("emailOpen", at, sent, 1, None), ("purchase", at, sent, 1, 5.0), ("emailSend", at, "f" * 32, 3, None),
    ]  # fmt: skip
    week.land(late, "late")
    week.build("2026-01-06", "2026-01-06")
    first, last = date(2026, 1, 5), date(2026, 1, 7)
    week.write(first, [event for event in happened(5, people=24) if event[1].date() == first][5:], "of-5")
    for source in ("webhooks/iterable/acme", "redshift/acme", "generate/acme", "databricks/globex"):
        for one in list(week.world.landing.list(f"{source}/event_date={last}")):
            week.world.landing.delete(one.key)
    week.build(str(first), str(last))
    found = week.tables()
    # What was sent again on the day after the emptied one is now sent first on that day.
    assert max(found[EXPERIMENT_RESULTS.name]["event_date"]) == last + timedelta(days=1)
    assert last not in set(found[MESSAGE_OUTCOMES.name]["send_date"])
    assert_same(found, fresh())
