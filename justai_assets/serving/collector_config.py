"""What a collector is told: where things are, and its limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from justai_assets.contract.errors import JustAIError

MIB = 1 << 20


class CollectorError(JustAIError):
    """A collector that cannot start or go on."""

    code = "collector"


@dataclass(frozen=True)
class Limits:
    """What one worker holds and how long it waits.

    Attributes:
        body_bytes: largest body that is accepted.
        header_bytes: largest request head; the server itself answers beyond it.
        query_bytes: longest query string.
        json_depth: deepest nesting of arrays and objects.
        body_seconds: how long a body may take to arrive, from its first byte to its last.
        head_seconds: how long a request head may take, and how long an idle connection is kept.
        in_flight_bytes: bodies held in memory at a time, over all requests of a worker.
        org_in_flight_share: part of in_flight_bytes that one org may take, so that one cannot starve another.
        unverified_bytes: bodies held in memory at a time whose senders are not known yet; apart from in_flight_bytes,
            so that strangers cannot take what known senders need.
        large_body_bytes: a body beyond this is large: such are parsed one at a time, with a pause as long in between.
        org_large_bodies: large bodies that one org may have under way at a time.
        connections: connections a worker serves at a time; more wait in the system's backlog.
        connections_per_address: connections of a worker that one address may hold without using them. Behind a proxy
            all come from its address: set it to `connections` there, and limit addresses in the proxy.
        org_requests_per_second: sustained requests of one org, over all doors and workers; a body
            counts as one more for every KiB beyond its first four.
        org_burst: requests an org may send at once after a pause.
        refused_per_second: refused credentials of one address, for each worker; beyond them an answer waits.
        refused_burst: refused credentials of an address that are answered at once after a pause.
    """

    body_bytes: int = MIB
    header_bytes: int = 32 << 10
    query_bytes: int = 4096
    json_depth: int = 64
    body_seconds: float = 15.0
    head_seconds: float = 15.0
    in_flight_bytes: int = 64 * MIB
    org_in_flight_share: float = 0.5
    unverified_bytes: int = 8 * MIB
    large_body_bytes: int = 64 << 10
    org_large_bodies: int = 2
    connections: int = 1024
    connections_per_address: int = 512
    org_requests_per_second: float = 2000.0
    org_burst: float = 4000.0
    refused_per_second: float = 100.0
    refused_burst: float = 200.0

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if not getattr(self, name) > 0:
                raise CollectorError(f"the limit {name} must be greater than 0", mend="leave it out for the default")
        if self.header_bytes < 8192:
            raise CollectorError("header_bytes must be at least 8192, the server's own minimum", mend="raise it")
        if self.body_bytes > self.unverified_bytes:
            raise CollectorError(
                "one body may be larger than what all unverified senders may hold in memory",
                mend="raise unverified_bytes or lower body_bytes",
            )
        if self.body_bytes > self.in_flight_bytes * min(self.org_in_flight_share, 1.0):
            raise CollectorError(
                "one body may be larger than what an org may hold in memory",
                mend="raise in_flight_bytes or lower body_bytes",
            )


@dataclass(frozen=True)
class CollectorConfig:
    """Where a collector writes and which orgs it serves.

    Attributes:
        journal: folder on a local disk; it holds every acknowledged event that is not in the landing zone yet.
        landing: URL or path of the landing root.
        orgs_dir: folder of org files.
        only: slugs of this slice, or None for all.
        limits: see Limits.
        segment_bytes: a journal segment is sealed when it is this large …
        segment_seconds: … or this old, whichever comes first.
        min_free_bytes: below this much free disk under the journal, requests are answered 503.
        reload_seconds: how often org files and secrets are read again.
        retry_after_seconds: what a 503 tells the sender to wait.
        access_log: `all` requests, `refused` ones only, or `none`.
    """

    journal: Path
    landing: str
    orgs_dir: Path
    only: tuple[str, ...] | None = None
    limits: Limits = field(default_factory=Limits)
    segment_bytes: int = 64 * MIB
    segment_seconds: float = 30.0
    min_free_bytes: int = 256 * MIB
    reload_seconds: float = 30.0
    retry_after_seconds: int = 30
    access_log: Literal["all", "refused", "none"] = "all"

    def __post_init__(self) -> None:
        if self.segment_bytes < 1 or self.segment_seconds <= 0 or self.reload_seconds <= 0 or self.min_free_bytes < 0:
            raise CollectorError("a size or a time of the journal is not positive", mend="leave it out for the default")
        if self.access_log not in {"all", "refused", "none"}:
            raise CollectorError(f"access_log {self.access_log!r} is unknown", mend="write all, refused or none")
