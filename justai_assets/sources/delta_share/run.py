"""One run of a mirror: what to look at, what to fetch, what to commit, and what is known after each commit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from justai_assets.contract.days import Days
from justai_assets.contract.tables import DELTA_SHARE
from justai_assets.lake.ledger import DayReport
from justai_assets.sources.delta_share.answers import SharedFile
from justai_assets.sources.delta_share.client import ShareClient, TableName
from justai_assets.sources.delta_share.days import Day, days_text, known_days
from justai_assets.sources.delta_share.download import Downloads
from justai_assets.sources.delta_share.errors import EmptyShareError
from justai_assets.sources.delta_share.listing import Listing, day_hints, list_files, touched_days
from justai_assets.sources.delta_share.pieces import Pieces
from justai_assets.sources.delta_share.plan import Plan, batches, files_of, make_plan
from justai_assets.sources.delta_share.same import is_same_day
from justai_assets.sources.delta_share.state import MirrorState
from justai_assets.sources.delta_share.step import Step, Target
from justai_assets.sources.delta_share.write import Part, days_in_commit, naming_damage, rows_of


class Run:
    """One run of a mirror; `state` is what it holds at any time."""

    def __init__(
        self,
        client: ShareClient,
        table: TableName,
        target: Target,
        state: MirrorState,
        asked: Days | None,
        *,
        recheck: bool,
        accept_empty: bool,
        batch_bytes: int,
    ) -> None:
        self.client = client
        self.table = table
        self.target = target
        self.state = state
        self.asked = asked
        self.recheck = recheck
        self.accept_empty = accept_empty
        self.batch_bytes = batch_bytes
        self.held = frozenset(state.days)
        # See MirrorState.lake_version: only rows that were reported may be passed over as the same.
        self.is_reported = state.lake_version is not None and state.lake_version == self._lake_version()
        self.pieces = Pieces(target.work / "pieces")
        self.scratch = target.work / "scratch"

    def steps(self) -> Iterator[Step]:
        """One Step after each commit."""
        scope = self._scope()
        if scope is None:
            return
        only, reached, remarks = scope
        listing = self._list(only)
        if only is None:
            reached = listing.version
        if listing.schema.added:
            remarks = (*remarks, f"columns beyond the contract, not mirrored: {', '.join(listing.schema.added)}")
        listed_by = "changes" if only is not None and self.asked is None else "snapshot"
        self.scratch.mkdir(parents=True, exist_ok=True)
        with Downloads(self.client, self.table, listing, self.target.work / "files") as downloads:
            days = self._days_of(listing, downloads, is_whole=only is None)
            plan = make_plan([(file, days[file.id]) for file in listing.files], self.state, only)
            self._refuse_empty(listing, plan)
            self.state = replace(self.state, version=None, change_feed=listing.schema.change_feed)
            for _, batch in batches(plan, self.batch_bytes):
                arriving = self._start(plan, batch, days, downloads)
                same = self._same_days(plan, batch, days, arriving)
                self._remember(plan, same)
                for covered, touched in batches(plan.part(batch, same), self.batch_bytes):
                    reports = self._commit(plan, covered, touched, days, arriving)
                    self._remember(plan, touched)
                    is_done = not self._open_days(plan)
                    is_known = self.is_reported or (is_done and self.asked is None)
                    self.state = replace(
                        self.state,
                        version=reached if is_done else None,
                        lake_version=self._lake_version() if is_known else None,
                    )
                    emptied = tuple(day for day in touched if day in plan.vanished and day in self.held)
                    yield Step(reports, emptied, self.state, listed_by, remarks)
                self._clear(plan, batch, downloads)
        if self.state.version != reached:
            self.state = replace(self.state, version=reached)
            yield Step((), (), self.state, listed_by, remarks)

    def _scope(self) -> tuple[frozenset[Day] | None, int | None, tuple[str, ...]] | None:
        """The days to look at (None: all), the version that the mirror then equals, remarks; None: nothing to do."""
        if self.asked is not None:
            only = frozenset[Day](self.asked)
            before = self.state.version
            # No file set has this fingerprint: each of the days is written, or emptied and accounted for as empty.
            self.state = replace(self.state, days={**self.state.days, **dict.fromkeys(only, "")})
            return only, before, ()
        version = self.client.version(self.table)
        if version == self.state.version and not self.recheck:
            return None
        # The feed speaks up to `version`; the list may be newer, which the next run's feed will tell.
        touched, remark = self._touched(version)
        return touched, version, (remark,) if remark else ()

    def _list(self, only: frozenset[Day] | None) -> Listing:
        listing = list_files(self.client, self.table, hints=day_hints(only) if only else "")
        if only is not None and not listing.files and not self.accept_empty:
            # Nothing on these days, or nothing at all? Only the whole list can tell lost days from a lost table.
            return list_files(self.client, self.table)
        return listing

    def _touched(self, version: int) -> tuple[frozenset[Day] | None, str]:
        state = self.state
        if self.recheck or not state.change_feed or state.version is None or version < state.version:
            return None, ""
        days, why_not = touched_days(self.client, self.table, state.version, version, state.learned)
        return days, f"the whole list was read: {why_not}" if why_not else ""

    def _days_of(self, listing: Listing, downloads: Downloads, *, is_whole: bool) -> dict[str, frozenset[Day]]:
        """The days of every listed file; those that nothing but their rows can tell are fetched and cut for it."""
        ids = {file.id for file in listing.files}
        # What was learned of a file is forgotten with the file, which only the whole list can say.
        learned = {id_: text for id_, text in self.state.learned.items() if not is_whole or id_ in ids}
        days: dict[str, frozenset[Day]] = {}
        unknown: list[SharedFile] = []
        for file in listing.files:
            known = known_days(file, learned)
            if known is None:
                unknown.append(file)
            else:
                days[file.id] = known
        arriving = downloads.start(file for file in unknown if self.pieces.of(file) is None)
        for file in unknown:
            if file.id in arriving:
                self.pieces.cut(file, arriving[file.id].result())
            days[file.id] = self.pieces.days(file)
            learned[file.id] = days_text(days[file.id])
        self.state = replace(self.state, learned=learned)
        return days

    def _refuse_empty(self, listing: Listing, plan: Plan) -> None:
        if plan.changed or self.accept_empty:
            return
        if plan.kept if self.asked is None else listing.files:
            return
        raise EmptyShareError(
            f"{self.table} holds no rows"
            + (f", but {len(plan.vanished)} days of it were mirrored before" if plan.vanished else ""),
            mend="ask the provider whether the table is meant to be empty; if it is, run the mirror with accept_empty; "
            "the mirror keeps its last content",
        )

    def _commit(
        self,
        plan: Plan,
        covered: Days | None,
        touched: tuple[Day, ...],
        days: Mapping[str, frozenset[Day]],
        arriving: Mapping[str, Future[Path]],
    ) -> tuple[DayReport, ...]:
        reports = []
        with days_in_commit(self.target.lake, self.target.slug, covered, self.target.note) as commit:
            for day in covered if covered is not None else (None,):
                parts = self._parts(plan, day, days, arriving)
                report = commit.write(day, parts, self.table, self.scratch)
                if day in touched:
                    reports.append(report)
        return tuple(reports)

    def _start(
        self, plan: Plan, batch: tuple[Day, ...], days: Mapping[str, frozenset[Day]], downloads: Downloads
    ) -> dict[str, Future[Path]]:
        needed = [file for file in files_of(plan, batch) if not self._has_pieces(file, days[file.id], batch)]
        return downloads.start(needed)

    def _same_days(
        self,
        plan: Plan,
        batch: tuple[Day, ...],
        days: Mapping[str, frozenset[Day]],
        arriving: Mapping[str, Future[Path]],
    ) -> list[Day]:
        """Days whose files are others but whose rows are not: nothing is written, and nothing downstream wakes up."""
        if self.asked is not None or not self.is_reported:
            return []
        suspects = [day for day in batch if day in plan.changed and self.state.days.get(day)]
        same = []
        for day in suspects:
            parts = self._parts(plan, day, days, arriving)
            with naming_damage(parts):
                if is_same_day(self.target.lake, self.target.slug, day, rows_of(parts, day, self.table, self.scratch)):
                    same.append(day)
        return same

    def _parts(
        self, plan: Plan, day: Day, days: Mapping[str, frozenset[Day]], arriving: Mapping[str, Future[Path]]
    ) -> list[Part]:
        return [self._part(file, day, days[file.id], arriving) for file in plan.files.get(day, ())]

    def _has_pieces(self, file: SharedFile, days: frozenset[Day], touched: tuple[Day, ...]) -> bool:
        cut = self.pieces.of(file)
        return cut is not None and all(day in cut for day in days if day in touched)

    def _part(self, file: SharedFile, day: Day, days: frozenset[Day], arriving: Mapping[str, Future[Path]]) -> Part:
        if file.id in arriving:
            path = arriving[file.id].result()
            if len(days) == 1:
                return Part(file, path, is_piece=False)
            if path.exists():
                self.pieces.forget(file)
                self.pieces.cut(file, path)
        return Part(file, (self.pieces.of(file) or {})[day], is_piece=True)

    def _lake_version(self) -> int | None:
        found = self.target.lake.open(self.target.slug, DELTA_SHARE)
        return None if found is None else found.version()

    def _remember(self, plan: Plan, touched: Collection[Day]) -> None:
        days = {day: found for day, found in self.state.days.items() if day not in touched}
        days |= {day: plan.prints[day] for day in touched if day in plan.prints}
        self.state = replace(self.state, days=days)

    def _open_days(self, plan: Plan) -> list[Day]:
        days = self.state.days
        return [day for day in plan.changed if days.get(day) != plan.prints[day]] + [
            day for day in plan.vanished if day in days
        ]

    def _clear(self, plan: Plan, touched: tuple[Day, ...], downloads: Downloads) -> None:
        """Free the disk of what no open day needs."""
        needed = {file.id for file in files_of(plan, self._open_days(plan))}
        for file in files_of(plan, touched):
            if file.id not in needed:
                downloads.path(file).unlink(missing_ok=True)
                self.pieces.forget(file)
                continue
            cut = self.pieces.of(file) or {}
            for day in touched:
                if day in cut:
                    cut[day].unlink()
