from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from justai_assets.sources.delta_share.mirror import mirror
from justai_assets.sources.delta_share.protocol import TableName
from justai_assets.testing.share_server.shared_tables import SharedTable
from justai_assets_tests.sources.delta_share.shared import (
    D1,
    D2,
    D3,
    NAME,
    TABLE,
    Door,
    events,
    open_door,
    ordered,
    replace_day,
    write,
)


def test_a_share_is_mirrored_whole_with_every_row_accounted_for(door: Door) -> None:
    (step,) = door.run()
    assert_frame_equal(door.rows(), ordered(pl.concat([events(D1), events(D2), events(D3)])))
    assert door.written() == [D1, D2, D3]
    assert step.state.version == 2
    assert door.fates()[D2, "received", None] == door.fates()[D2, "accepted", None] == 5
    assert door.quarantine().is_empty()
    assert not door.target.work.exists()


@pytest.mark.parametrize("prefers", ["parquet", "delta"])
@pytest.mark.parametrize("by_day", [True, False])
@pytest.mark.parametrize("with_stats", [True, False])
def test_both_formats_any_layout_and_no_statistics_give_the_same_mirror(
    tmp_path: Path, prefers: str, by_day: bool, with_stats: bool
) -> None:
    for door in open_door(tmp_path, prefers=prefers, page_size=2):
        for tag in ("a", "b"):
            write(
                door.source, pl.concat([events(D1, tag=tag), events(D2, tag=tag), events(D3, tag=tag)]), by_day=by_day
            )
        door.server.offer(NAME, SharedTable(door.source, with_stats=with_stats))
        door.run()
        source = pl.concat([events(day, tag=tag) for day in (D1, D2, D3) for tag in ("a", "b")])
        assert_frame_equal(door.rows(), ordered(source))


def test_an_unchanged_share_costs_one_request(door: Door) -> None:
    door.run()
    door.asked()
    assert door.run() == []
    assert door.asked() == ["version"]


@pytest.mark.slow
def test_one_changed_day_costs_that_day(door: Door) -> None:
    days = [D1 + timedelta(days=offset) for offset in range(365)]
    write(door.source, pl.concat([events(day, 1) for day in days[3:]]))
    door.run()
    door.asked()
    replace_day(door.source, days[200], events(days[200], 2))
    (step,) = door.run()
    assert door.written() == [days[200]]
    assert step.listed_by == "changes"
    assert door.asked() == ["version", "changes", "query", "files"]
    assert door.rows().height == 3 * 5 + 361 + 2


def test_one_changed_day_of_a_view_costs_that_day_too(door: Door) -> None:
    door.server.offer(NAME, SharedTable(door.source, is_view=True))
    door.run()
    door.asked()
    replace_day(door.source, D2, events(D2, 9))
    (step,) = door.run()
    assert (door.written(), step.listed_by) == ([D2], "snapshot")
    assert door.asked() == ["version", "query", "files"]


def test_a_feed_that_is_not_granted_falls_back_to_the_whole_list(door: Door) -> None:
    door.run()
    replace_day(door.source, D2, events(D2, 9))
    door.server.break_("changes", "status", status=403)
    (step,) = door.run()
    assert (door.written(), step.listed_by) == ([D2], "snapshot")
    assert "whole list was read" in step.notes[0]


def test_days_that_vanish_are_emptied_and_reported(door: Door) -> None:
    door.run()
    DeltaTable(door.source).delete(f"event_date = '{D2}'")
    (step,) = door.run()
    assert step.vanished == (D2,)
    assert set(door.rows()["event_date"]) == {D1, D3}
    assert door.fates()[D2, "received", None] == 0


def test_a_lost_state_costs_a_copy_and_empties_what_the_share_no_longer_holds(door: Door) -> None:
    door.run()
    DeltaTable(door.source).delete(f"event_date = '{D1}'")
    door.state = None
    (step,) = door.run(mirrored=[D1, D2, D3])
    assert step.vanished == (D1,)
    assert_frame_equal(door.rows(), ordered(pl.concat([events(D2), events(D3)])))


def test_another_table_of_the_share_replaces_the_mirror(door: Door, tmp_path: Path) -> None:
    door.run()
    write(tmp_path / "v2", events(D3, 2, tag="v2"))
    door.server.offer("main.events.unified_v2", tmp_path / "v2")
    (step,) = door.run(table=TableName.parse("main.events.unified_v2"))
    assert step.vanished == (D1, D2)
    assert_frame_equal(door.rows(), ordered(events(D3, 2, tag="v2")))


def test_additive_columns_pass_and_are_remarked_on(door: Door) -> None:
    door.run()
    wide = events(D3, 2).with_columns(pl.lit("eu").alias("region"))
    write(door.source, wide, schema_mode="merge")
    (step,) = door.run()
    assert door.rows().filter(pl.col("event_date") == D3).height == 7
    assert step.notes == ("columns beyond the contract, not mirrored: region",)


def test_rows_that_break_the_rules_are_quarantined_one_by_one(tmp_path: Path) -> None:
    start = datetime(2026, 1, 1, 8, tzinfo=UTC)
    frame = events(D1, 6).with_columns(
        event_timestamp=pl.Series(
            [start, None, start + timedelta(days=1), start, start, start], dtype=pl.Datetime("us", "UTC")
        ),
        event_name=pl.Series(["emailSend", "a", "b", None, "emailSend", "emailUnSubscribe"]),
        message_id=pl.Series(["m1", "m2", "m3", "m4", "me@example.com", "m6"]),
    )
    undated = events(D1, 2).with_columns(pl.lit(None, pl.Date).alias("event_date"))
    for door in open_door(tmp_path):
        write(door.source, pl.concat([frame, undated]), by_day=False)
        door.run()
        assert door.rows()["message_id"].to_list() == ["m1", "m6"]
        assert door.rows()["event_name"].to_list() == ["emailSend", "emailUnsubscribe"]
        refused = door.quarantine().sort("event_date", "source_row", nulls_last=True)
        assert refused.select("event_date", "reason", "source_row").rows() == [
            (D1, "bad_timestamp", 1),
            (D1, "outside_day", 2),
            (D1, "missing_event_name", 3),
            (D1, "personal_data_in_identifier", 4),
            (None, "undated", 6),
            (None, "undated", 7),
        ]
        assert set(refused["source_file"].str.head(len(NAME) + 1)) == {f"{NAME}/"}
        fates = door.fates()
        for day, received in ((D1, 6), (None, 2)):
            fate = {kind: sum(n for (d, k, _), n in fates.items() if (d, k) == (day, kind)) for _, kind, _ in fates}
            assert fate["received"] == fate["accepted"] + fate["quarantined"] == received


def test_a_rerun_replaces_what_it_refused_before(tmp_path: Path) -> None:
    for door in open_door(tmp_path):
        write(door.source, events(D1, 2).with_columns(event_name=pl.lit(None, pl.String)))
        door.run()
        assert door.quarantine().height == 2
        replace_day(door.source, D1, events(D1, 2))
        door.run()
        assert door.quarantine().is_empty()
        assert door.rows().height == 2


def test_several_commits_of_bounded_size_end_in_the_same_table(door: Door) -> None:
    steps = door.run(batch_bytes=1)
    assert [[report.day for report in step.reports] for step in steps] == [[D1], [D2], [D3]]
    assert [step.state.version for step in steps] == [None, None, 2]
    assert_frame_equal(door.rows(), ordered(pl.concat([events(D1), events(D2), events(D3)])))


def test_a_run_that_stops_between_commits_goes_on_with_the_rest(door: Door) -> None:
    door.server.break_("files", "status", skip=1, status=500)
    with pytest.raises(Exception, match="500"):
        door.run(batch_bytes=1)
    assert door.written() == [D1]
    door.server.faults.clear()
    door.run(batch_bytes=1)
    assert door.written() == [D2, D3]
    assert_frame_equal(door.rows(), ordered(pl.concat([events(D1), events(D2), events(D3)])))


def test_a_table_rewritten_during_the_run_is_planned_anew(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    # The request for the first day finds its file vacuumed away: the table was rewritten after it was listed.
    original = door.server.access.honours
    rewritten: list[bool] = []

    def rewrite(path: str, expires: str, signature: str) -> bool:
        if not rewritten and str(D1) in path:
            rewritten.append(True)
            replace_day(door.source, D1, events(D1, 9))
            table = DeltaTable(door.source)
            table.vacuum(0, enforce_retention_duration=False, dry_run=False)
        return original(path, expires, signature)

    monkeypatch.setattr(door.server.access, "honours", rewrite)
    door.run()
    assert_frame_equal(door.rows(), ordered(pl.concat([events(D1, 9), events(D2), events(D3)])))


changes = st.lists(
    st.tuples(st.sampled_from(["append", "replace", "delete", "compact"]), st.integers(0, 3), st.integers(1, 3)),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=changes, by_day=st.booleans(), feed=st.booleans(), every=st.booleans())
def test_whatever_happens_to_the_share_the_mirror_equals_it(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[str, int, int]],
    by_day: bool,
    feed: bool,
    every: bool,
) -> None:
    for door in open_door(tmp_path_factory.mktemp("door")):
        write(door.source, pl.concat([events(D1), events(D2), events(D3)]), by_day=by_day, feed=feed)
        door.run()
        for number, (what, offset, count) in enumerate(changes):
            _change(door.source, what, D1 + timedelta(days=offset), events_of(offset, count, number), by_day)
            if every or number == len(changes) - 1:
                door.run()
                assert_frame_equal(door.rows(), ordered(pl.read_delta(str(door.source))))


def events_of(offset: int, count: int, number: int) -> pl.DataFrame:
    return events(D1 + timedelta(days=offset), count, tag=f"n{number}")


def _change(source: Path, what: str, day: date, frame: pl.DataFrame, by_day: bool) -> None:
    if what == "append":
        write(source, frame, by_day=by_day)
    elif what == "replace":
        replace_day(source, day, frame, by_day=by_day)
    elif what == "compact":
        DeltaTable(source).optimize.compact()
    elif pl.read_delta(str(source)).filter(pl.col("event_date") != day).height:
        DeltaTable(source).delete(f"event_date = '{day}'")


def test_a_cut_whose_pieces_are_partly_gone_never_counts_as_the_whole_file(tmp_path: Path) -> None:
    source = pl.concat([events(D1), events(D2), events(D3)])
    for door in open_door(tmp_path):
        write(door.source, source, by_day=False)
        # One commit a day; the run ends after the first, whose pieces are cleared, and its state is lost.
        with door.client() as client:
            steps = mirror(client, TABLE, door.target, None, batch_bytes=1)
            next(steps)
            next(steps)
            steps.close()
        assert door.target.work.exists()
        door.run(mirrored=[D1, D2])
        assert_frame_equal(door.rows(), ordered(source))
