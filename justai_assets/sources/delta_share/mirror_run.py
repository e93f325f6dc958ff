"""One run of a mirror: what to look at, what to fetch, what to commit, and what is known after each commit."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from justai_assets.contract.days import Days
from justai_assets.lake.ledger import DayReport
from justai_assets.landing import decoder
from justai_assets.orgs.extra_columns import extra_of
from justai_assets.sources.delta_share.client import ShareClient
from justai_assets.sources.delta_share.day_commit import days_in_commit, naming_damage, rows_of
from justai_assets.sources.delta_share.download import Downloads
from justai_assets.sources.delta_share.file_days import Day, UndatableFiles, days_text
from justai_assets.sources.delta_share.file_listing import Listing, day_hints, list_files, touched_days
from justai_assets.sources.delta_share.mirror_state import MirrorState, Step, Target
from justai_assets.sources.delta_share.mirror_table import (
    days_written,
    is_same_day,
    lake_version,
    mirrored_days,
    mirrored_rows,
)
from justai_assets.sources.delta_share.plan import MirrorRequest, Plan, Scope, batches, make_plan
from justai_assets.sources.delta_share.protocol import TableName
from justai_assets.sources.delta_share.share_day_files import CutFiles, DayFiles
from justai_assets.sources.delta_share.share_errors import CorruptFileError, EmptyShareError, StaleShareError


class Run:
    """One run of a mirror; `state` is what it holds at any time, `batch_bytes` may be changed between two tries."""

    def __init__(
        self,
        client: ShareClient,
        table: TableName,
        target: Target,
        state: MirrorState,
        request: MirrorRequest,
        batch_bytes: int,
    ) -> None:
        self.client = client
        self.table = table
        self.target = target
        self.state = state
        self.request = request
        self.batch_bytes = batch_bytes
        self.before = state.version
        self.mirrored: frozenset[Day] = frozenset()
        self._is_marked = False
        self._damaged: dict[Day, CorruptFileError] = {}
        self._undatable = UndatableFiles()
        self.scratch = target.work / "scratch"
        self.extra = extra_of(target.table)

    def steps(self) -> Iterator[Step]:
        """One Step after each commit, and one at the end when the state differs from the last that was given out.

        Raises:
            CorruptFileError: files cannot be read; all days but those that need one of them were brought up to date
                before.
        """
        given = self.state
        self._damaged.clear()
        self._catch_up()
        self.mirrored = frozenset(self.state.days)
        scope = self._scope()
        for step in self._steps(scope) if scope is not None else ():
            given = step.state
            yield step
        if self.state != given:
            notes = scope.notes if scope is not None else ()
            yield Step((), (), self.state, scope.listed_by if scope is not None else "snapshot", notes)

    def _steps(self, scope: Scope) -> Iterator[Step]:
        # It starts while the files are listed.
        decoder.start()
        listing = self._list(scope.days)
        if self.state.table_id and listing.schema.table_id != self.state.table_id:
            # Dropped and made anew: its feed and its version say nothing about the rows of the one before.
            self.state, self.before = self.state.of_other_files(listing.schema.table_id), None
            if self.request.days is None and scope.days is not None:
                listing, scope = self._list(None), replace(scope, days=None, listed_by="snapshot")
        reached = self._reached(scope, listing)
        scope = replace(scope, notes=(*scope.notes, *listing.schema.notes))
        self.scratch.mkdir(parents=True, exist_ok=True)
        with Downloads(self.client, self.table, listing, self.target.work / "files") as downloads:
            files = DayFiles(listing, downloads, CutFiles(self.target.cuts, str(self.table), self.extra))
            plan = self._plan(scope, listing, files)
            if self._undatable:
                said = self._undatable.note({*plan.prints, *self.state.days})
                scope = replace(scope, notes=(*scope.notes, said))
            # First what was never copied: what is only compared again must not keep the rest waiting.
            fresh = [day for day in plan.touched if not self.state.days.get(day)]
            for part in (plan.part(fresh), plan.part(set(plan.touched) - set(fresh))):
                for _, batch in batches(part, self.batch_bytes):
                    files.start(plan, batch)
                    same = self._same_days(plan, batch, files)
                    self._remember(plan, same)
                    others = part.part(set(batch) - set(same) - self._damaged.keys())
                    for covered, touched in batches(others, self.batch_bytes):
                        for written, reports in self._commits(plan, covered, touched, files):
                            self._remember(plan, written)
                            if not self._open_days(plan) and not self._undatable:
                                self._finish(reached)
                            emptied = tuple(day for day in written if day in plan.vanished and day in self.mirrored)
                            yield Step(reports, emptied, self.state, scope.listed_by, scope.notes)
                    files.clear(plan, batch, self._open_days(plan))
        if self._undatable:
            raise self._undatable.error({*plan.prints, *self.state.days}, self._damaged.values())
        if self._damaged:
            # The other days are mirrored; these keep their last content, and the next run looks at them again.
            raise next(iter(self._damaged.values()))
        self._finish(reached)

    def _catch_up(self, written: Days | None = None) -> None:
        """Know the mirror's table as it is now: days that others wrote are to be written again.

        Args:
            written: the days of this run's own last commit.
        """
        state, version = self.state, lake_version(self.target.lake, self.target.slug)
        if version is None or version == state.lake_version:
            return
        found: frozenset[Day] | None = frozenset()
        if state.lake_version is not None:
            found = days_written(self.target.lake, self.target.slug, state.lake_version, version)
        elif not written:
            found = None
        if found is None:
            # Nothing tells: whatever it holds may be what no run reported.
            found = mirrored_days(self.target.lake, self.target.slug) | frozenset(state.days)
        mine = frozenset(written or ())
        self.state = replace(state.with_dirty(found - mine), lake_version=version)

    def _scope(self) -> Scope | None:
        """What to look at, or None when there is nothing to do."""
        state, dirty = self.state, self.state.dirty()
        if self.request.days is not None:
            only = frozenset[Day](self.request.days)
            if not self.request.only_changed:
                if not self._is_marked:
                    # Once a run: a list that moved meanwhile does not undo what is done.
                    self.state, self._is_marked = state.with_dirty(only), True
                return Scope(only)
            version = self.client.version(self.table)
            is_settled = version == state.version and not dirty & only and not state.broken
            return None if is_settled else Scope(only, version)
        version = self.client.version(self.table)
        if self.request.recheck or state.version is None or state.broken:
            return Scope(None, version)
        if version == state.version:
            return Scope(dirty, version) if dirty else None
        if not state.change_feed or version < state.version:
            return Scope(None, version)
        days, why_not = touched_days(self.client, self.table, state.version, version, state.learned)
        if days is None:
            return Scope(None, version, notes=(f"the whole list was read: {why_not}",))
        return Scope(days | dirty, version, "changes")

    def _list(self, only: frozenset[Day] | None) -> Listing:
        listing = list_files(self.client, self.table, hints=day_hints(only) if only else "", extra=self.extra)
        is_bare = all(file.records == 0 for file in listing.files)
        if listing.hints and is_bare and not self.request.accept_empty:
            # Nothing on these days, or nothing at all? Only the whole list can tell lost days from a lost table.
            return list_files(self.client, self.table, extra=self.extra)
        return listing

    def _reached(self, scope: Scope, listing: Listing) -> int | None:
        """The version that the mirror equals after this run.

        A list may be older than the version announced: servers keep copies. Then the list's version is what is
        reached, and what came after it is for the next run.
        """
        before = self.before
        is_behind = scope.announced is None or listing.version < scope.announced
        if before is not None and is_behind and listing.version < before:
            raise StaleShareError(
                f"the share lists version {listing.version}, and {before} is mirrored already", mend="it is retried"
            )
        if self.request.days is not None:
            return before
        if scope.days is None or scope.announced is None:
            return listing.version
        # The feed speaks up to the version announced; the list may be newer, which the next run's feed will tell.
        return min(scope.announced, listing.version)

    def _plan(self, scope: Scope, listing: Listing, files: DayFiles) -> Plan:
        ids = {file.id for file in listing.files}
        is_whole = scope.days is None
        # What was learned of a file is forgotten with the file, which only the whole list can say.
        learned = {id_: text for id_, text in self.state.learned.items() if not is_whole or id_ in ids}
        found = files.find_days(learned)
        self._undatable = files.undatable
        learned |= {id_: days_text(days) for id_, days in found.items()}
        schema = listing.schema
        self.state = replace(
            self.state, learned=learned, change_feed=schema.change_feed, table_id=schema.table_id, broken=""
        )
        plan = self._compared(scope, listing, files)
        self._check_not_empty(plan, files)
        if self.request.days is not None:
            if plan.touched:
                self.state = replace(self.state, version=None)
            return plan
        if self.state.copying == listing.version:
            # The same version again, with other file ids, as a view has them at each request.
            self._remember(plan, self.state.done.intersection(plan.changed))
            plan = self._compared(scope, listing, files)
        elif plan.touched:
            self.state = replace(self.state, copying=listing.version, done=frozenset())
        if plan.touched:
            self.state = replace(self.state, version=None)
        return plan

    def _compared(self, scope: Scope, listing: Listing, files: DayFiles) -> Plan:
        dated = [(file, files.days[file.id]) for file in listing.files]
        return make_plan(dated, self.state, scope.days, self._undatable.may_hold)

    def _check_not_empty(self, plan: Plan, files: DayFiles) -> None:
        if self.request.accept_empty or files.is_known_to_have_rows():
            return
        if self.request.days is None and plan.kept & mirrored_days(self.target.lake, self.target.slug):
            return
        if files.has_rows(plan):
            return
        before = self.mirrored & mirrored_days(self.target.lake, self.target.slug)
        raise EmptyShareError(
            f"{self.table} holds no rows" + (f", but {len(before)} days of it were mirrored before" if before else ""),
            mend="ask the provider whether the table is meant to be empty; if it is, run the mirror with accept_empty; "
            "the mirror keeps its last content",
        )

    def _same_days(self, plan: Plan, batch: tuple[Day, ...], files: DayFiles) -> list[Day]:
        """Days whose files are others but whose rows are not: nothing is written, and nothing downstream wakes up."""
        suspects = [day for day in batch if day and day in plan.changed and self.state.days.get(day)]
        same: list[Day] = []
        for day in suspects:
            try:
                parts = files.parts(plan, day)
                with naming_damage(parts), rows_of(parts, day, self.table, self.scratch, self.extra) as rows:
                    if is_same_day(self.target.lake, self.target.slug, day, rows, self.target.table):
                        same.append(day)
            except CorruptFileError as error:
                self._damaged[day] = error
        return same

    def _commits(
        self, plan: Plan, covered: Days | None, touched: tuple[Day, ...], files: DayFiles
    ) -> Iterator[tuple[tuple[Day, ...], tuple[DayReport, ...]]]:
        """The days in one commit, or each in its own when a file of one of them is damaged."""
        try:
            reports = self._commit(plan, covered, touched, files)
        except CorruptFileError as error:
            if len(touched) == 1:
                self._damaged[touched[0]] = error
                return
            for day in touched:
                yield from self._commits(plan, Days(day, day) if day else None, (day,), files)
            return
        self._catch_up(covered)
        yield touched, reports

    def _commit(
        self, plan: Plan, covered: Days | None, touched: tuple[Day, ...], files: DayFiles
    ) -> tuple[DayReport, ...]:
        reports, target = [], self.target
        before = mirrored_rows(target.lake, target.slug) if self._undatable else {}
        with days_in_commit(target.lake, target.slug, covered, target.note, target.stamp, target.table) as commit:
            for day in covered if covered is not None else (None,):
                lost = self._undatable.records() if day is None else ()
                report = commit.write(day, files.parts(plan, day), self.table, self.scratch, lost)
                if day and self._undatable.may_hold(day) and report.rows < before.get(day, 0):
                    raise self._undatable.error([day])
                if day in touched:
                    reports.append(replace(report, marks=(*report.marks, *self._undatable.day_note(day))))
        return tuple(reports)

    def _remember(self, plan: Plan, touched: Collection[Day]) -> None:
        days = {day: found for day, found in self.state.days.items() if day not in touched}
        days |= {day: plan.prints[day] for day in touched if day in plan.prints}
        done = self.state.done
        if self.state.copying is not None:
            done |= frozenset(day for day in touched if not self._undatable.may_hold(day))
        self.state = replace(self.state, days=days, done=done)

    def _finish(self, reached: int | None) -> None:
        if self.request.days is None:
            self.state = replace(self.state, copying=None, done=frozenset())
        self.state = replace(self.state, version=reached)

    def _open_days(self, plan: Plan) -> list[Day]:
        days = self.state.days
        return [day for day in plan.changed if days.get(day) != plan.prints[day]] + [
            day for day in plan.vanished if day in days
        ]
