"""What reads the queue of S3 notifications, so that a landed file is noticed at once and not by the next sweep."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import dagster as dg

from justai_assets.dag.resources import Platform
from justai_assets.dag.source_sensor import now_utc
from justai_assets.landing.notification_queue import LandingQueue
from justai_assets.landing.notifications import (
    Hint,
    discard_notes,
    discard_receipts,
    mark_alive,
    read_message,
    read_receipts,
    write_note,
    write_receipts,
)

INTERVAL_SECONDS = 30
BUDGET_SECONDS = 20.0
"""When reading stops. Deleting comes before it, and a tick must answer within 60 seconds."""

MAX_MESSAGES = 3000
"""Messages of one tick, so that the next one deletes them in seconds and their receipts stay around a megabyte."""

PROVEN_FOR = timedelta(days=1)
"""How long a message that named a folder proves that the bucket tells us what lands."""


@dataclass(frozen=True)
class _Place:
    """The reader's cursor.

    Attributes:
        note: number of the last note.
        handled: number of the receipts of messages that were noted and are to be deleted; 0 for none.
        useful: when a message last named a folder (epoch seconds; 0 for never).
    """

    note: int = 0
    handled: int = 0
    useful: int = 0


def hint_sensor(
    now: Callable[[], datetime] = now_utc, clock: Callable[[], float] = time.monotonic
) -> dg.SensorDefinition:
    """Turns messages of JUSTAI_LANDING_QUEUE into notes that the doors' sensors follow.

    A message is deleted by the tick after the one that noted it, when the cursor shows the note: whatever dies in
    between, the message comes back, and is noted twice at worst.

    The doors stop listing recent days only while the queue can be relied on: it was just read to its end, and in the
    last day it named something. A reader that lags, or a queue that nothing is sent to, spares them nothing.
    """

    @dg.sensor(
        job_name="__ASSET_JOB",
        name="read_landing_queue",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reads which folders were written from JUSTAI_LANDING_QUEUE; the doors' sensors list them.",
    )
    def read_landing_queue(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
        url = os.environ.get("JUSTAI_LANDING_QUEUE")
        if not url:
            return dg.SensorResult(skip_reason="JUSTAI_LANDING_QUEUE is not set")
        landing, lake = platform.landing(), platform.lake().root
        queue = LandingQueue(url)
        place = _decode(context.cursor)
        handled = read_receipts(lake, place.handled) if place.handled else []
        queue.delete(handled)
        until = clock() + BUDGET_SECONDS
        hints: set[Hint] = set()
        taken: list[str] = []
        foreign = 0
        is_late = False
        for message in queue.receive(MAX_MESSAGES):
            found = read_message(message.body, landing)
            hints |= found or set()
            foreign += found is None
            taken.append(message.receipt)
            if is_late := clock() >= until:
                break
        is_drained = not is_late and len(taken) < MAX_MESSAGES
        if foreign:
            context.log.warning(f"{foreign} messages are no S3 notifications; they are deleted")
        time_now = now()
        # By the clock, so that a cursor that was reset does not number its notes below those already followed.
        number = max(place.note + 1, int(time_now.timestamp() * 1000))
        if taken:
            write_receipts(lake, number, taken)
        if hints:
            write_note(lake, number, hints)
        useful = int(time_now.timestamp()) if hints else place.useful
        if is_drained and time_now.timestamp() - useful < PROVEN_FOR.total_seconds():
            mark_alive(lake)
        if place.handled:
            discard_receipts(lake, place.handled)
        discard_notes(lake, time_now)
        said = f"{len(taken)} messages name {len(hints)} folders; {len(handled)} handled ones deleted"
        return dg.SensorResult(
            skip_reason=said if is_drained else f"{said}; more are waiting",
            cursor=json.dumps(asdict(_Place(number if hints else place.note, number if taken else 0, useful))),
        )

    return read_landing_queue


def _decode(text: str | None) -> _Place:
    """The cursor; one of another version says where the notes stand, and its messages come back."""
    try:
        parsed = json.loads(text or "")
        handled = parsed["handled"] if isinstance(parsed["handled"], int) else 0
        return _Place(int(parsed["note"]), handled, int(parsed.get("useful", 0)))
    except (ValueError, TypeError, KeyError):
        return _Place()
