"""The week of the sample orgs, landed through their doors."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import timedelta

from justai_assets.contract.days import Days
from justai_assets.demo.demo_home import DemoPlace
from justai_assets.demo.demo_share import write_shared_table
from justai_assets.demo.drop_files import land_databricks, land_redshift, write_files
from justai_assets.demo.happenings import Arm, Happening, Person, happenings
from justai_assets.demo.sample_orgs import WAREHOUSE_ORG, WEBHOOK_ORG, write_orgs, write_share_org
from justai_assets.demo.webhook_files import land_generate, land_iterable, land_journeys
from justai_assets.storage import Root

WELCOME = (Arm("501", "9001", 0.8, 0.36, 0.034), Arm("502", "9002", 0.2, 0.31, 0.024))
SPRING = (Arm("503", "9003", 0.8, 0.28, 0.030), Arm("504", "9004", 0.2, 0.29, 0.029))
ONBOARDING = (Arm("601", "9101", 0.8, 0.42, 0.050), Arm("602", "9102", 0.2, 0.35, 0.041))
DIGEST = (Arm("701", "9201", 0.8, 0.33, 0.044), Arm("702", "9202", 0.2, 0.33, 0.036))

COPIES = {
    WELCOME[0].template_id: ("3f0c1c52-6a0e-4b5e-9a38-0d6f8e0b7a11", "9b7d2f64-1f2a-4d0c-8c55-7e1a2c3d4e52"),
    WELCOME[1].template_id: ("c0ffee00-5b1d-4e7a-8f36-2a4b6c8d0e13",),
}
"""Template id → the copies that Generate serves for it; the control's is the original."""


def land_week(place: DemoPlace, days: Days, *, sends_a_day: int, seed: int = 7, with_share: bool = False) -> None:
    """Write org files and a week of landings. The same days, size and seed land the same events.

    With `with_share`, there is a third org. Somebody must serve its table while it is mirrored
    (`demo.demo_share.shared`).
    """
    write_orgs(place, days.first)
    place.write_env(days, {"ACME_API_KEY": f"{WEBHOOK_ORG}-api-key"})
    landing = Root.parse(str(place.landing))
    luck = random.Random(seed)  # noqa: S311 - a demo, not a secret
    people = 4 * sends_a_day
    welcome = list(happenings(days, WELCOME, "purchase", people=people, sends_a_day=sends_a_day, luck=luck))
    spring = list(happenings(days, SPRING, "signup", people=people, sends_a_day=sends_a_day, luck=luck))
    land_iterable(landing, WEBHOOK_ORG, [event for event in (*welcome, *spring) if event.arm], luck)
    land_generate(landing, WEBHOOK_ORG, welcome, COPIES)
    land_journeys(landing, WEBHOOK_ORG, [event for event in welcome if not event.arm], luck)
    land_redshift(landing, WEBHOOK_ORG, [event for event in spring if not event.arm])
    write_files(place.files, welcome)
    onboarding = list(happenings(days, ONBOARDING, "upgrade", people=people, sends_a_day=sends_a_day, luck=luck))
    land_databricks(landing, WAREHOUSE_ORG, _joined(onboarding), luck)
    if with_share:
        write_share_org(place, days.first)
        digest = list(happenings(days, DIGEST, "visit", people=people, sends_a_day=sends_a_day, luck=luck))
        write_shared_table(place, _joined(digest))


def _joined(events: Iterable[Happening]) -> Iterator[Happening]:
    """What the warehouse's own join makes of them: conversions under their last send within a day, others left out."""
    last: dict[Person, Happening] = {}
    for event in sorted(events, key=lambda one: (one.at, one.name)):
        if event.arm:
            if event.name == "emailSend":
                last[event.person] = event
            yield event
            continue
        send = last.get(event.person)
        if send is not None and event.at - send.at < timedelta(hours=24):
            yield Happening(event.name, event.at, event.person, send.arm, send.message_id)
