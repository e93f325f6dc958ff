"""What reads the queue of S3 notifications, so that a landed file is noticed at once and not by the next sweep."""

import json
import os
from collections.abc import Callable
from datetime import datetime

import dagster as dg

from justai_assets.dag.door_sensor import now_utc
from justai_assets.dag.resources import Platform
from justai_assets.landing.hints import Hint, discard_notes, mark_alive, read_message, write_note
from justai_assets.landing.queue import LandingQueue

INTERVAL_SECONDS = 30
MAX_MESSAGES = 200
"""Messages of one tick; their receipts, about 300 characters each, are in the cursor until the next one."""


def hint_sensor(now: Callable[[], datetime] = now_utc) -> dg.SensorDefinition:
    """Turns messages of JUSTAI_LANDING_QUEUE into notes that the doors' sensors follow.

    A message is deleted by the tick after the one that noted it, when the cursor shows the note: whatever dies in
    between, the message comes back, and is noted twice at worst.
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
        note, receipts = _decode(context.cursor)
        queue.delete(receipts)
        hints: set[Hint] = set()
        taken: list[str] = []
        foreign = 0
        for message in queue.receive(MAX_MESSAGES):
            found = read_message(message.body, landing)
            hints |= found or set()
            foreign += found is None
            taken.append(message.receipt)
        if foreign:
            context.log.warning(f"{foreign} messages are no S3 notifications; they are deleted")
        time_now = now()
        if hints:
            # By the clock, so that a cursor that was reset does not number its notes below those already followed.
            note = max(note + 1, int(time_now.timestamp() * 1000))
            write_note(lake, note, hints)
        mark_alive(lake)
        discard_notes(lake, time_now)
        return dg.SensorResult(
            skip_reason=f"{len(taken)} messages name {len(hints)} folders; {len(receipts)} handled ones deleted",
            cursor=json.dumps({"note": note, "handled": taken}),
        )

    return read_landing_queue


def _decode(text: str | None) -> tuple[int, list[str]]:
    try:
        parsed = json.loads(text or "")
        return int(parsed["note"]), [str(one) for one in parsed["handled"]]
    except (ValueError, TypeError, KeyError):
        return 0, []
