"""The collector's own pages: health, readiness, metrics, and the OpenAPI document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from justai_assets.serving.openapi import document
from justai_assets.serving.request_outcomes import BUCKETS_MS
from justai_assets.serving.worker import Worker

_HELP = {
    "justai_collector_received_total": ("counter", "Requests that arrived."),
    "justai_collector_requests_total": ("counter", "Requests by org, door and fate."),
    "justai_collector_in_flight": ("gauge", "Requests that arrived and have no fate yet."),
    "justai_collector_rejected_total": ("counter", "Rejected requests by reason."),
    "justai_collector_request_seconds": ("histogram", "Time from a request's arrival to its answer."),
    "justai_collector_journal_commits_total": ("counter", "fsync calls, each for a group of records."),
    "justai_collector_journal_records_total": ("counter", "Records on disk."),
    "justai_collector_journal_bytes_total": ("counter", "Bytes of them."),
    "justai_collector_journal_commit_microseconds_total": ("counter", "Time spent writing and syncing."),
    "justai_collector_journal_backlog_bytes": ("gauge", "Bytes of the journal that are not in the landing zone yet."),
    "justai_collector_landed_objects_total": ("counter", "Objects written to the landing zone."),
    "justai_collector_landed_lines_total": ("counter", "Envelopes in them."),
    "justai_collector_landed_bytes_total": ("counter", "Compressed bytes of them."),
    "justai_collector_landing_failures_total": ("counter", "Segments that could not be landed at a try; tried again."),
    "justai_collector_torn_bytes_total": ("counter", "Bytes at the end of dead workers' segments that are no record."),
    "justai_collector_damaged_bytes_total": ("counter", "Journal bytes that were damaged after they were written."),
    "justai_collector_lost_records_total": ("counter", "Records that segments lack by their numbers."),
    "justai_collector_damaged_segments_total": ("counter", "Segments that were not whole, kept in damaged/."),
    "justai_collector_sealer_passes_total": ("counter", "Passes of the sealer over the journal."),
    "justai_collector_journal_oldest_segment_seconds": ("gauge", "How long the oldest complete segment has waited."),
    "justai_collector_landing_stalled": ("gauge", "1 when the sealer has completed nothing for five minutes."),
    "justai_collector_log_entries_dropped_total": (
        "counter",
        "Log lines that could not be written, or not in time.",
    ),
    "justai_collector_connections_closed_total": ("counter", "Idle connections of addresses that held too many."),
    "justai_collector_ready": ("gauge", "1 when the answering worker takes requests."),
}


def _label(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def prometheus(counted: Counter[str], gauges: dict[str, int]) -> str:
    """The text format of Prometheus.

    Args:
        counted: counters of all processes, by their keys (see `accounts`, `app` and `sealer`).
        gauges: name without prefix → value.
    """
    samples: dict[str, list[str]] = {name: [] for name in _HELP}
    fates = 0
    histograms: dict[str, Counter[str]] = {}
    for key, value in sorted(counted.items()):
        kind, *parts = key.split("|")
        if kind in {"requests", "rejected"}:
            org, door, what = (_label(part) for part in parts)
            fates += value if kind == "requests" else 0
            name = "fate" if kind == "requests" else "reason"
            metric = f"justai_collector_{kind}_total"
            samples[metric].append(f'{metric}{{org="{org}",door="{door}",{name}="{what}"}} {value}')
        elif kind in {"seconds", "microseconds"}:
            histograms.setdefault(parts[0], Counter())[parts[1] if kind == "seconds" else "sum"] += value
        elif f"justai_collector_{kind}_total" in samples and kind != "received":
            samples[f"justai_collector_{kind}_total"].append(f"justai_collector_{kind}_total {value}")
    received = counted["received"]
    samples["justai_collector_received_total"].append(f"justai_collector_received_total {received}")
    for door, found in histograms.items():
        samples["justai_collector_request_seconds"] += _histogram(door, found)
    for name, value in {**gauges, "in_flight": received - fates}.items():
        samples[f"justai_collector_{name}"].append(f"justai_collector_{name} {value}")
    lines: list[str] = []
    for name, (kind, text) in _HELP.items():
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *samples[name]]
    return "\n".join(lines) + "\n"


def _histogram(door: str, found: Counter[str]) -> list[str]:
    name = "justai_collector_request_seconds"
    lines, count = [], 0
    for bound in BUCKETS_MS:
        count += found[str(bound)]
        lines.append(f'{name}_bucket{{door="{door}",le="{bound / 1000:g}"}} {count}')
    count += found["+Inf"]
    lines.append(f'{name}_bucket{{door="{door}",le="+Inf"}} {count}')
    return [*lines, f'{name}_sum{{door="{door}"}} {found["sum"] / 1e6:.6f}', f'{name}_count{{door="{door}"}} {count}']


class Pages:
    """The pages of one worker."""

    def __init__(self, worker: Callable[[], Worker]) -> None:
        self._worker = worker
        self._document = msgspec.json.encode(document())

    async def health(self, _: Request) -> Response:
        """The process answers."""
        return Response(b"ok\n", media_type="text/plain")

    async def ready(self, _: Request) -> Response:
        """Requests would be taken: there are sources, the journal can be written, the disk has room, landing goes on.

        A landing zone that is away does not end readiness: what arrives is safe in the journal, and the metric of the
        oldest waiting segment tells.
        """
        worker = self._worker()
        if not worker.ready:
            return Response(b"not ready\n", 503, {"retry-after": "10"}, media_type="text/plain")
        if worker.state.seen.is_stalled:
            said = b"not ready: nothing is brought into the landing zone\n"
            return Response(said, 503, {"retry-after": "10"}, media_type="text/plain")
        return Response(b"ready\n", media_type="text/plain")

    async def metrics(self, _: Request) -> Response:
        """Counters of every worker, in the text format of Prometheus."""
        worker = self._worker()
        seen = await worker.state.fresh()
        gauges = {
            "ready": int(worker.ready and not seen.is_stalled),
            "journal_backlog_bytes": seen.backlog_bytes,
            "journal_oldest_segment_seconds": int(seen.oldest_seconds),
            "landing_stalled": int(seen.is_stalled),
        }
        return Response(prometheus(seen.counted, gauges), media_type="text/plain; version=0.0.4")

    async def openapi(self, _: Request) -> Response:
        """The OpenAPI document."""
        return Response(self._document, media_type="application/json")
