"""Ordinary situations of a test as landed files, and what an org's runs make of them.

One org has one template for each situation, over sixteen days up to yesterday. Rates are exact on every day, so whatever
differs from what a test expects is made by the platform.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
from rich.console import Console

from justai_assets.contract.days import Days
from justai_assets.contract.tables import EXPERIMENT_RESULTS
from justai_assets.dag.headless import make_report, materialize_days
from justai_assets.reporting.terminal_tables import show_decisions, show_templates
from justai_assets.settings import Settings
from justai_assets_tests.world import World, esp, journey

NOW = datetime.now(UTC)
DAYS, LAST = 16, NOW.date() - timedelta(days=1)
FIRST = LAST - timedelta(days=DAYS - 1)
SHARED_CONTROL = "900"


def template(name: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "key_metric": "click",
        "treatment": {"template_id": str(number), "campaign_id": "1"},
        "control": {"template_id": str(number + 1), "campaign_id": "1"},
        "control_share": 0.1,
        **more,
    }


SHARING = [
    template(f"shared-{at}", 800 + at, control={"template_id": SHARED_CONTROL, "campaign_id": "1"}, control_share=0.5)
    for at in range(3)
]


TEMPLATES = [
    template("afternoon", 500),
    template("trial", 510),
    template("stopped", 520),
    template("raised", 530, control_share=0.5),
    template("delays", 540, control_share=0.5, key_metric="purchase"),
    template("per-person", 550, control_share=0.5, split_unit="user"),
    template("per-message", 560, control_share=0.5),
    template("slow", 570, control_share=0.5),
    template("two-keys", 580, control_share=0.5, split_unit="user"),
    {"id": "proxies", "treatment": {"template_id": "600", "campaign_id": "1"}},
    *SHARING,
]


@dataclass
class Landing:
    """What is sent and answered, to be landed day by day."""

    world: World
    engaged: dict[date, list[str]] = field(default_factory=dict)
    bought: dict[date, list[str]] = field(default_factory=dict)
    messages: int = 0

    def send(
        self,
        number: int | str,
        day: date,
        count: int,
        clicks: int,
        *,
        hour: int = 9,
        people: str = "",
        by_user_id: bool | None = None,
    ) -> list[str]:
        """So many messages of a template, of which the first are clicked; who gets them. `people`: the same ones.

        With `by_user_id`, people have a user id too: sends and clicks carry that or the email, and an open carries both.
        """
        at, emails = datetime.combine(day, time(hour), UTC), []
        for person in range(count):
            self.messages += 1
            emails.append(f"{people}{person}@example.com" if people else f"m{self.messages}@example.com")
            ids: dict[str, Any] = {"messageId": f"{self.messages:032x}", "templateId": int(number), "campaignId": 1}
            email, user = emails[-1], {"user_id": f"user-{people}{person}"}
            if by_user_id is not None:
                self.engage(esp("emailOpen", f"{at:%Y-%m-%d} {hour}:20:00", email, **user, **ids), day)
            who = (None, {**user, **ids}) if by_user_id else (email, ids)
            self.engage(esp("emailSend", f"{at:%Y-%m-%d %H:%M:%S}", who[0], **who[1]), day)
            if person < clicks:
                self.engage(esp("emailClick", f"{at:%Y-%m-%d} {hour}:30:00", who[0], **who[1]), day)
        return emails

    def engage(self, line: str, day: date) -> None:
        self.engaged.setdefault(day, []).append(line)

    def buy(self, email: str, at: datetime, workflow: str) -> None:
        if at < NOW:
            self.bought.setdefault(at.date(), []).append(journey(f"{at:%Y-%m-%d %H:%M:%S}", email, workflow))

    def land(self) -> None:
        for day, lines in self.engaged.items():
            self.world.land("iterable_webhooks", "acme", day, lines)
        for day, lines in self.bought.items():
            self.world.land("journey_webhooks", "acme", day, lines)


def land_situations(landing: Landing) -> None:
    for at in range(DAYS):
        day = FIRST + timedelta(days=at)
        sent_at = datetime.combine(day, time(9), UTC)
        if at < 2:  # the control alone, until the copy goes live at three on the third day
            landing.send(501, day, 200, 40)
        elif at == 2:
            landing.send(501, day, 130, 26)
            landing.send(500, day, 63, 13, hour=15)
            landing.send(501, day, 7, 1, hour=15)
        else:
            landing.send(500, day, 180, 36)
            landing.send(501, day, 20, 4)
        landing.send(510, day, 1 if at == 0 else 0 if at < 7 else 180, 0 if at < 7 else 36)
        landing.send(511, day, 200 if at < 7 else 20, 40 if at < 7 else 4)
        landing.send(520, day, 180 if at < 11 else 200, 72 if at < 11 else 80)
        landing.send(521, day, 20 if at < 11 else 0, 4)
        early = at < 8
        landing.send(530, day, 180 if early else 100, 90 if early else 20)
        landing.send(531, day, 20 if early else 100, 10 if early else 20)
        for number, hours in ((540, 2), (541, 60)):
            for email in landing.send(number, day, 60, 0)[::2]:
                landing.buy(email, sent_at + timedelta(hours=hours), "1")
        landing.send(550, day, 60, 18, people="a")
        landing.send(551, day, 60, 18, people="b")
        landing.send(580, day, 60, 18, people="e", by_user_id=bool(at % 2))
        landing.send(581, day, 60, 18, people="f", by_user_id=bool(at % 2))
        # The same people, half of them in either arm, who swap every day.
        landing.send(560 + at % 2, day, 60, 18, people="c")
        landing.send(561 - at % 2, day, 60, 18, people="d")
        landing.send(570, day, 30, 6 + at % 2)
        landing.send(571, day, 30, 6)
        for number in (800, 801, 802, SHARED_CONTROL):
            for email in landing.send(number, day, 50, 0)[:10]:
                landing.buy(email, sent_at + timedelta(hours=1), "2")
    for number in range(10):
        ids = {"messageId": f"p{number:031x}", "templateId": 600, "campaignId": 1}
        landing.engage(esp("emailSend", f"{LAST} 08:00:00", f"p{number}@example.com", **ids), LAST)
        for minute in range(3):
            opened = {**ids, "proxySource": "APPLE"}
            landing.engage(esp("emailOpen", f"{LAST} 08:0{minute}:01", f"p{number}@example.com", **opened), LAST)


@dataclass(frozen=True)
class Judged:
    """What an org's runs gave: the newest judgement, the report, and the terminal."""

    rows: pl.DataFrame
    report: str
    terminal: str

    def key(self, name: str) -> dict[str, Any]:
        (row,) = self.rows.filter(pl.col("template") == name, "is_key", pl.col("copy_id").is_null()).to_dicts()
        return row


def judged(world: World, slug: str) -> Judged:
    org = world.orgs[slug]
    assert materialize_days(org, Days(FIRST, LAST), today=NOW.date())
    assert make_report(org)
    rows = world.table(EXPERIMENT_RESULTS, slug)
    newest = rows.filter(pl.col("event_date") == rows["event_date"].max())
    text = io.StringIO()
    console = Console(file=text, width=200, highlight=False)
    for show in (show_templates, show_decisions):
        show(Settings.from_environment(), [org], Days(FIRST, LAST), console)
    return Judged(newest, world.lake.root.read(f"{slug}/report/latest.html").decode(), text.getvalue())
