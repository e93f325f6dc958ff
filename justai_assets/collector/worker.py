"""What the doors of one worker share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from justai_assets.collector.accounts import Accounts
from justai_assets.collector.config import CollectorConfig
from justai_assets.collector.directory import Directory
from justai_assets.collector.journal import Journal
from justai_assets.collector.patience import Patience
from justai_assets.collector.rates import Rates


@dataclass
class Worker:
    """What the doors of one worker share.

    Attributes:
        config: see CollectorConfig.
        directory: the orgs' doors.
        journal: where accepted requests go.
        rates: requests by org.
        accounts: the books.
        patience: how long bodies may take.
        now: the time, with a zone; receipts are stamped with it.
        monotonic: seconds that only grow; durations and rates are measured with it.
        held: bytes of bodies in memory, by org; "" is the sum.
    """

    config: CollectorConfig
    directory: Directory
    journal: Journal
    rates: Rates
    accounts: Accounts
    patience: Patience
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    held: dict[str, int] = field(default_factory=lambda: {"": 0})

    def hold(self, slug: str, size: int) -> bool:
        """Count bytes as held for an org; False when that is more than it or the worker may hold."""
        limits = self.config.limits
        of_org = self.held.get(slug, 0) + size
        if self.held[""] + size > limits.in_flight_bytes:
            return False
        if of_org > limits.in_flight_bytes * limits.org_in_flight_share:
            return False
        self.held[""] += size
        self.held[slug] = of_org
        return True

    def release(self, slug: str, size: int) -> None:
        """Give held bytes back."""
        self.held[""] -= size
        left = self.held[slug] - size
        if left:
            self.held[slug] = left
        else:
            del self.held[slug]
