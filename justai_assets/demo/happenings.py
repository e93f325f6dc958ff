"""What happens in the demo's week: sends, what they lead to, and what happens without them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from justai_assets.contract.days import Days


@dataclass(frozen=True)
class Arm:
    """One arm of a template: its ids and how well it does."""

    template_id: str
    campaign_id: str
    share: float
    open_rate: float
    conversion_rate: float


@dataclass(frozen=True)
class Person:
    """Somebody, by number: an address at example.com and, for most, a user id."""

    number: int

    @property
    def email(self) -> str:
        """An address in the domain reserved for examples."""
        return f"person{self.number}@example.com"

    @property
    def user_id(self) -> str | None:
        """Two of three people have one."""
        return f"user-{self.number:07d}" if self.number % 3 else None


PRICES = (9.0, 19.0, 49.0)
"""What a month of each plan costs."""


@dataclass(frozen=True)
class Happening:
    """One thing that happened: engagement with a message, or a custom event (no message)."""

    name: str
    at: datetime
    person: Person
    arm: Arm | None = None
    message_id: str | None = None
    is_machine: bool = False

    @property
    def value(self) -> float | None:
        """What a custom event is worth: the plan that the person takes. None of engagement."""
        return None if self.name.startswith("email") else PRICES[self.person.number % 7 % 3]


def happenings(
    days: Days, arms: tuple[Arm, ...], event: str, *, people: int, sends_a_day: int, luck: random.Random
) -> Iterator[Happening]:
    """A template's week, in no order: engagement of every send, conversions after some, and some without any.

    Everything ends with the last day: what would happen later has not happened yet.
    """
    shares = [arm.share for arm in arms]
    for day in days:
        midnight = datetime.fromisoformat(f"{day}T00:00:00+00:00")
        for _ in range(sends_a_day):
            arm = luck.choices(arms, shares)[0]
            person = Person(luck.randrange(people))
            message = f"{luck.getrandbits(128):032x}"
            sent = midnight + timedelta(seconds=luck.randrange(86_400))
            for one in _message(arm, person, message, sent, event, luck):
                if one.at.date() <= days.last:
                    yield one
        for _ in range(sends_a_day // 40):
            # Bought without being asked: people beyond the mailing list.
            at = midnight + timedelta(seconds=luck.randrange(86_400))
            yield Happening(event, at, Person(people + luck.randrange(people)))


def _message(
    arm: Arm, person: Person, message: str, sent: datetime, event: str, luck: random.Random
) -> Iterator[Happening]:
    yield Happening("emailSend", sent, person, arm, message)
    if luck.random() < arm.open_rate:
        is_machine = luck.random() < 0.25
        opened = sent + timedelta(seconds=5 if is_machine else 60 + luck.expovariate(1 / 14_400))
        yield Happening("emailOpen", opened, person, arm, message, is_machine)
        if not is_machine and luck.random() < 0.2:
            yield Happening("emailClick", opened + timedelta(seconds=luck.randrange(5, 300)), person, arm, message)
    if luck.random() < 0.003:
        yield Happening("emailUnSubscribe", sent + timedelta(seconds=luck.randrange(60, 7_200)), person, arm, message)
    if luck.random() < arm.conversion_rate:
        yield Happening(event, sent + timedelta(seconds=60 + luck.expovariate(1 / 50_000)), person)
