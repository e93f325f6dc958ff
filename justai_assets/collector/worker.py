"""What the doors of one worker share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from justai_assets.collector.accounts import Accounts
from justai_assets.collector.config import CollectorConfig
from justai_assets.collector.connections import Connections
from justai_assets.collector.directory import Directory
from justai_assets.collector.journal import Journal
from justai_assets.collector.journal_state import JournalState
from justai_assets.collector.memory import Memory
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
        refusals: refused credentials by address.
        accounts: the books.
        patience: how long bodies may take.
        now: the time, with a zone; receipts are stamped with it.
        monotonic: seconds that only grow; durations and rates are measured with it.
        memory: bytes of bodies held, by owner.
        state: the journal as a whole, as it was seen last.
        connections: who holds how many.
        large_turn: large bodies are parsed one at a time.
    """

    config: CollectorConfig
    directory: Directory
    journal: Journal
    rates: Rates
    refusals: Rates
    accounts: Accounts
    patience: Patience
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    memory: Memory
    state: JournalState
    connections: Connections
    large_turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def ready(self) -> bool:
        """Whether requests would be taken. Without a single door every event would be refused for good."""
        return self.journal.ready and len(self.directory) > 0
