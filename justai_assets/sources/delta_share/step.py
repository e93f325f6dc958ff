"""Where a mirror goes, and what one commit of it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from justai_assets.contract.tables import DELTA_SHARE, Table
from justai_assets.lake.ledger import DayReport
from justai_assets.lake.stamp import Stamp
from justai_assets.lake.store import Lake
from justai_assets.orgs.extra_columns import extra_of
from justai_assets.sources.delta_share.days import Day
from justai_assets.sources.delta_share.state import MirrorState


@dataclass(frozen=True)
class Step:
    """What one commit did.

    Attributes:
        reports: the days written, in order, emptied ones with 0 rows.
        vanished: days that the share no longer holds; they are empty now.
        state: what the mirror holds now; to be kept by the caller, who gives it to the next run.
        listed_by: `changes` where the change feed told the days, else `snapshot`.
        remarks: what a person should know, in words.
    """

    reports: tuple[DayReport, ...]
    vanished: tuple[Day, ...]
    state: MirrorState
    listed_by: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """Where a mirror goes.

    Attributes:
        lake: the lake.
        slug: the org.
        work: folder of our own for downloads; kept between runs it spares what has arrived already. Never used by two
            runs at once.
        note: put into the commits' metadata.
        stamp: by what the rows are made.
        table: DELTA_SHARE, with the columns that the org declares.
    """

    lake: Lake
    slug: str
    work: Path
    note: Mapping[str, str]
    stamp: Stamp | None = None
    table: Table = DELTA_SHARE

    @property
    def cuts(self) -> Path:
        """Folder of cut files; of its own for each set of declared columns, which a cut holds or lacks."""
        return self.work / "-".join(["cuts", *sorted(extra_of(self.table))])
