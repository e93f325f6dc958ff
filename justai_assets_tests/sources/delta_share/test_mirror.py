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
    Mirrored,
    events,
    open_mirrored,
    ordered,
    replace_day,
    write,
)


def test_a_share_is_mirrored_whole_with_every_row_accounted_for(mirrored: Mirrored) -> None:
    (step,) = mirrored.run()
    assert_frame_equal(mirrored.rows(), ordered(pl.concat([events(D1), events(D2), events(D3)])))
    assert mirrored.written() == [D1, D2, D3]
    assert step.state.version == 2
    assert mirrored.fates()[D2, "received", None] == mirrored.fates()[D2, "accepted", None] == 5
    assert mirrored.quarantine().is_empty()
    assert not mirrored.target.work.exists()


@pytest.mark.parametrize("prefers", ["parquet", "delta"])
@pytest.mark.parametrize("by_day", [True, False])
@pytest.mark.parametrize("with_stats", [True, False])
def test_both_formats_any_layout_and_no_statistics_give_the_same_mirror(
    tmp_path: Path, prefers: str, by_day: bool, with_stats: bool
) -> None:
    for mirrored in open_mirrored(tmp_path, prefers=prefers, page_size=2):
        for tag in ("a", "b"):
            write(
                mirrored.source,
                pl.concat([events(D1, tag=tag), events(D2, tag=tag), events(D3, tag=tag)]),
                by_day=by_day,
            )
        mirrored.server.offer(NAME, SharedTable(mirrored.source, with_stats=with_stats))
        mirrored.run()
        source = pl.concat([events(day, tag=tag) for day in (D1, D2, D3) for tag in ("a", "b")])
        assert_frame_equal(mirrored.rows(), ordered(source))


def test_an_unchanged_share_costs_one_request(mirrored: Mirrored) -> None:
    mirrored.run()
    mirrored.asked()
    assert mirrored.run() == []
    assert mirrored.asked() == ["version"]


@pytest.mark.slow
def test_one_changed_day_costs_that_day(mirrored: Mirrored) -> None:
    days = [D1 + timedelta(days=offset) for offset in range(365)]
    write(mirrored.source, pl.concat([events(day, 1) for day in days[3:]]))
    mirrored.run()
    mirrored.asked()
    replace_day(mirrored.source, days[200], events(days[200], 2))
    (step,) = mirrored.run()
    assert mirrored.written() == [days[200]]
    assert step.listed_by == "changes"
    assert mirrored.asked() == ["version", "changes", "query", "files"]
    assert mirrored.rows().height == 3 * 5 + 361 + 2


def test_one_changed_day_of_a_view_costs_that_day_too(mirrored: Mirrored) -> None:
    mirrored.server.offer(NAME, SharedTable(mirrored.source, is_view=True))
    mirrored.run()
    mirrored.asked()
    replace_day(mirrored.source, D2, events(D2, 9))
    (step,) = mirrored.run()
    assert (mirrored.written(), step.listed_by) == ([D2], "snapshot")
    assert mirrored.asked() == ["version", "query", "files"]


def test_a_feed_that_is_not_granted_falls_back_to_the_whole_list(mirrored: Mirrored) -> None:
    mirrored.run()
    replace_day(mirrored.source, D2, events(D2, 9))
    mirrored.server.break_("changes", "status", status=403)
    (step,) = mirrored.run()
    assert (mirrored.written(), step.listed_by) == ([D2], "snapshot")
    assert "whole list was read" in step.notes[0]


def test_days_that_vanish_are_emptied_and_reported(mirrored: Mirrored) -> None:
    mirrored.run()
    DeltaTable(mirrored.source).delete(f"event_date = '{D2}'")
    (step,) = mirrored.run()
    assert step.vanished == (D2,)
    assert set(mirrored.rows()["event_date"]) == {D1, D3}
    assert mirrored.fates()[D2, "received", None] == 0


def test_a_lost_state_costs_a_copy_and_empties_what_the_share_no_longer_holds(mirrored: Mirrored) -> None:
    mirrored.run()
    DeltaTable(mirrored.source).delete(f"event_date = '{D1}'")
    mirrored.state = None
    (step,) = mirrored.run(mirrored=[D1, D2, D3])
    assert step.vanished == (D1,)
    assert_frame_equal(mirrored.rows(), ordered(pl.concat([events(D2), events(D3)])))


def test_another_table_of_the_share_replaces_the_mirror(mirrored: Mirrored, tmp_path: Path) -> None:
    mirrored.run()
    write(tmp_path / "v2", events(D3, 2, tag="v2"))
    mirrored.server.offer("main.events.unified_v2", tmp_path / "v2")
    (step,) = mirrored.run(table=TableName.parse("main.events.unified_v2"))
    assert step.vanished == (D1, D2)
    assert_frame_equal(mirrored.rows(), ordered(events(D3, 2, tag="v2")))


def test_additive_columns_pass_and_are_remarked_on(mirrored: Mirrored) -> None:
    mirrored.run()
    wide = events(D3, 2).with_columns(pl.lit("eu").alias("region"))
    write(mirrored.source, wide, schema_mode="merge")
    (step,) = mirrored.run()
    assert mirrored.rows().filter(pl.col("event_date") == D3).height == 7
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
    for mirrored in open_mirrored(tmp_path):
        write(mirrored.source, pl.concat([frame, undated]), by_day=False)
        mirrored.run()
        assert mirrored.rows()["message_id"].to_list() == ["m1", "m6"]
        assert mirrored.rows()["event_name"].to_list() == ["emailSend", "emailUnsubscribe"]
        refused = mirrored.quarantine().sort("event_date", "source_row", nulls_last=True)
        assert refused.select("event_date", "reason", "source_row").rows() == [
            (D1, "bad_timestamp", 1),
            (D1, "outside_day", 2),
            (D1, "missing_event_name", 3),
            (D1, "personal_data_in_identifier", 4),
            (None, "undated", 6),
            (None, "undated", 7),
        ]
        assert set(refused["source_file"].str.head(len(NAME) + 1)) == {f"{NAME}/"}
        fates = mirrored.fates()
        for day, received in ((D1, 6), (None, 2)):
            fate = {kind: sum(n for (d, k, _), n in fates.items() if (d, k) == (day, kind)) for _, kind, _ in fates}
            assert fate["received"] == fate["accepted"] + fate["quarantined"] == received


def test_a_rerun_replaces_what_it_refused_before(tmp_path: Path) -> None:
    for mirrored in open_mirrored(tmp_path):
        write(mirrored.source, events(D1, 2).with_columns(event_name=pl.lit(None, pl.String)))
        mirrored.run()
        assert mirrored.quarantine().height == 2
        replace_day(mirrored.source, D1, events(D1, 2))
        mirrored.run()
        assert mirrored.quarantine().is_empty()
        assert mirrored.rows().height == 2


def test_several_commits_of_bounded_size_end_in_the_same_table(mirrored: Mirrored) -> None:
    steps = mirrored.run(batch_bytes=1)
    assert [[report.day for report in step.reports] for step in steps] == [[D1], [D2], [D3]]
    assert [step.state.version for step in steps] == [None, None, 2]
    assert_frame_equal(mirrored.rows(), ordered(pl.concat([events(D1), events(D2), events(D3)])))


def test_a_run_that_stops_between_commits_goes_on_with_the_rest(mirrored: Mirrored) -> None:
    mirrored.server.break_("files", "status", skip=1, status=500)
    with pytest.raises(Exception, match="500"):
        mirrored.run(batch_bytes=1)
    assert mirrored.written() == [D1]
    mirrored.server.faults.clear()
    mirrored.run(batch_bytes=1)
    assert mirrored.written() == [D2, D3]
    assert_frame_equal(mirrored.rows(), ordered(pl.concat([events(D1), events(D2), events(D3)])))


def test_a_table_rewritten_during_the_run_is_planned_anew(mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch) -> None:
    # The request for the first day finds its file vacuumed away: the table was rewritten after it was listed.
    original = mirrored.server.access.honours
    rewritten: list[bool] = []

    def rewrite(path: str, expires: str, signature: str) -> bool:
        if not rewritten and str(D1) in path:
            rewritten.append(True)
            replace_day(mirrored.source, D1, events(D1, 9))
            table = DeltaTable(mirrored.source)
            table.vacuum(0, enforce_retention_duration=False, dry_run=False)
        return original(path, expires, signature)

    monkeypatch.setattr(mirrored.server.access, "honours", rewrite)
    mirrored.run()
    assert_frame_equal(mirrored.rows(), ordered(pl.concat([events(D1, 9), events(D2), events(D3)])))


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
    for mirrored in open_mirrored(tmp_path_factory.mktemp("share")):
        write(mirrored.source, pl.concat([events(D1), events(D2), events(D3)]), by_day=by_day, feed=feed)
        mirrored.run()
        for number, (what, offset, count) in enumerate(changes):
            _change(mirrored.source, what, D1 + timedelta(days=offset), events_of(offset, count, number), by_day)
            if every or number == len(changes) - 1:
                mirrored.run()
                assert_frame_equal(mirrored.rows(), ordered(pl.read_delta(str(mirrored.source))))


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
    for mirrored in open_mirrored(tmp_path):
        write(mirrored.source, source, by_day=False)
        # One commit a day; the run ends after the first, whose pieces are cleared, and its state is lost.
        with mirrored.client() as client:
            steps = mirror(client, TABLE, mirrored.target, None, batch_bytes=1)
            next(steps)
            next(steps)
            steps.close()
        assert mirrored.target.work.exists()
        mirrored.run(mirrored=[D1, D2])
        assert_frame_equal(mirrored.rows(), ordered(source))
