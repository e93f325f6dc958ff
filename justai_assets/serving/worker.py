"""What the doors of one worker share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from justai_assets.serving.body_deadlines import Patience
from justai_assets.serving.body_memory import Memory
from justai_assets.serving.collector_config import CollectorConfig
from justai_assets.serving.connections import Connections
from justai_assets.serving.journal.journal_state import JournalState
from justai_assets.serving.journal.journal_writer import Journal
from justai_assets.serving.rate_limits import Rates
from justai_assets.serving.request_outcomes import Accounts
from justai_assets.serving.source_directory import Directory


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
