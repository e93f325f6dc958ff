"""Every way a share can fail: a clear error, and a mirror that still holds its last good state."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from justai_assets.contract.days import Days
from justai_assets.contract.errors import ContractError, JustAIError
from justai_assets.contract.tables import DELTA_SHARE
from justai_assets.lake.built_days import BuiltDays
from justai_assets.lake.ledger import RECEIVED, read_fates, total
from justai_assets.sources.delta_share.client import ShareClient
from justai_assets.sources.delta_share.profile import Profile
from justai_assets.sources.delta_share.share_errors import (
    BadAnswerError,
    CorruptFileError,
    EmptyShareError,
    ShareAccessError,
    SlowShareError,
    TableNotOfferedError,
    ThrottledError,
    TransientShareError,
    TruncatedAnswerError,
    UnsupportedShareError,
)
from justai_assets.sources.delta_share.transport import RequestPolicy
from justai_assets.testing.share_server.shared_tables import SharedTable
from justai_assets_tests.lake.test_broken_off import BrokenOffError, ending_before
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

Break = Callable[[Mirrored], None]


def fault(where: str, kind: str, **how: object) -> Break:
    return lambda mirrored: mirrored.server.break_(where, kind, **how)


def rename(mirrored: Mirrored) -> None:
    mirrored.server.withdraw(NAME)
    mirrored.server.offer("main.events.unified_v2", mirrored.source)


def deletion_vector(mirrored: Mirrored) -> None:
    # The server offers the table in the delta format only; its files say what was deleted from them.
    path = next(iter(mirrored.source.rglob("*.parquet"))).relative_to(mirrored.source).as_posix()
    vector = {"storageType": "i", "pathOrInlineDv": "…", "sizeInBytes": 1, "cardinality": 1}
    mirrored.server.offer(NAME, SharedTable(mirrored.source, is_view=True, deletion_vectors={path: vector}))


FAILURES: dict[str, tuple[Break, type[JustAIError], str, str]] = {
    "empty": (lambda mirrored: replace_everything(mirrored.source), EmptyShareError, "holds no rows", "accept_empty"),
    "forbidden": (fault("version", "status", status=403), ShareAccessError, "forbids", "GRANT SELECT"),
    "forbidden list": (fault("query", "status", status=403), ShareAccessError, "forbids", "GRANT SELECT"),
    "unknown credential": (fault("version", "status", status=401), ShareAccessError, "401", "activation link"),
    "gone": (lambda mirrored: mirrored.server.withdraw(NAME), TableNotOfferedError, "offers nothing", "add the table"),
    "gone for good": (fault("version", "status", status=410), TableNotOfferedError, "does not offer", "org file"),
    "renamed": (rename, TableNotOfferedError, r"it offers main\.events\.unified_v2", r"sources\.delta_share\.table"),
    "slow": (fault("version", "slow", seconds=5), SlowShareError, "did not answer in time", "retried"),
    "slow list": (fault("query", "slow", seconds=5), SlowShareError, "did not answer in time", "retried"),
    "slow file": (fault("files", "slow", seconds=5), SlowShareError, "did not answer in time", "retried"),
    "rate-limited": (fault("query", "throttle", seconds=0.01), ThrottledError, "429", "raise the limit"),
    "rate-limited files": (fault("files", "throttle", seconds=0.01), ThrottledError, "429", "raise the limit"),
    "down": (fault("version", "status", status=503), TransientShareError, "503", "retried"),
    "truncated list": (fault("query", "truncate"), TruncatedAnswerError, "stopped before its end", "retried"),
    "unmarked end": (fault("query", "no_end"), TruncatedAnswerError, "stopped before its end", "retried"),
    "hung up in the list": (fault("query", "hang_up"), TruncatedAnswerError, "hung up", "retried"),
    "truncated file": (fault("files", "short"), TruncatedAnswerError, "bytes", "continued"),
    "error after 200": (
        fault("query", "error_line", message="backend lost"), TransientShareError, "backend lost", "provider",
    ),
    "refusal after 200": (fault("query", "error_line", status=403), ShareAccessError, "failed while", "grant"),
    "malformed": (fault("query", "status", status=400), BadAnswerError, "400", "provider"),
    "corrupt file": (fault("files", "corrupt"), CorruptFileError, "not readable Parquet", "keeps its last content"),
    "damaged pages": (fault("files", "damage"), CorruptFileError, "read to its end", "keeps its last content"),
    "deletion vectors": (deletion_vector, UnsupportedShareError, "deletionVectors", "share a view"),
}  # fmt: skip

FAST = RequestPolicy(attempts=2, first_wait=0.01, longest_wait=0.2, connect_seconds=1, read_seconds=0.2)


def replace_everything(source: Path) -> None:
    write(source, events(D1, 0), mode="overwrite")


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_says_what_to_do_and_leaves_the_last_good_state(mirrored: Mirrored, name: str) -> None:
    break_, error, said, mend = FAILURES[name]
    mirrored.run()
    before, state = mirrored.rows(), mirrored.state
    replace_day(mirrored.source, D2, events(D2, 9))
    # A change feed would hide the list of files from some of these.
    mirrored.server.offer(NAME, SharedTable(mirrored.source, is_view=True))
    break_(mirrored)
    with pytest.raises(error, match=said) as caught:
        mirrored.run(policy=FAST)
    assert mend.replace("\\", "") in caught.value.mend
    assert_frame_equal(mirrored.rows(), before)
    assert mirrored.state == state
    assert mirrored.quarantine().is_empty()


LEAVING_SOMETHING_BEHIND = (
    "empty", "renamed", "slow file", "rate-limited files", "truncated list", "truncated file", "corrupt file",
    "damaged pages", "deletion vectors",
)  # fmt: skip


@pytest.mark.parametrize("name", LEAVING_SOMETHING_BEHIND)
def test_when_the_failure_is_over_the_next_run_catches_up(mirrored: Mirrored, name: str) -> None:
    mirrored.run()
    replace_day(mirrored.source, D2, events(D2, 9))
    FAILURES[name][0](mirrored)
    with pytest.raises(JustAIError):
        mirrored.run(policy=FAST, recheck=True)
    mirrored.server.faults.clear()
    mirrored.server.offer(NAME, SharedTable(mirrored.source))
    if name == "empty":
        write(mirrored.source, pl.concat([events(D1), events(D2, 9), events(D3)]))
    mirrored.run()
    assert_frame_equal(mirrored.rows(), ordered(pl.concat([events(D1), events(D2, 9), events(D3)])))


@pytest.mark.parametrize(
    ("where", "kind"),
    [("version", "status"), ("query", "truncate"), ("query", "hang_up"), ("query", "error_line"), ("query", "no_end"),
     ("files", "status"), ("files", "hang_up"), ("files", "corrupt"), ("files", "throttle"), ("version", "throttle")],
)  # fmt: skip
def test_a_passing_failure_is_not_even_noticed(mirrored: Mirrored, where: str, kind: str) -> None:
    mirrored.server.break_(where, kind, times=1, seconds=0.01)
    mirrored.run()
    assert mirrored.rows().height == 15


def test_a_changed_type_keeps_the_mirror(mirrored: Mirrored, tmp_path: Path) -> None:
    mirrored.run()
    before = mirrored.rows()
    write(tmp_path / "typed", events(D1).with_columns(template_id=pl.lit(501, pl.Int64)))
    mirrored.server.offer(NAME, tmp_path / "typed")
    with pytest.raises(ContractError, match="template_id is long"):
        mirrored.run()
    assert_frame_equal(mirrored.rows(), before)


def test_a_missing_column_keeps_the_mirror(mirrored: Mirrored, tmp_path: Path) -> None:
    mirrored.run()
    before = mirrored.rows()
    write(tmp_path / "narrow", events(D1).drop("campaign_id"))
    mirrored.server.offer(NAME, tmp_path / "narrow")
    with pytest.raises(ContractError, match="campaign_id is missing"):
        mirrored.run()
    assert_frame_equal(mirrored.rows(), before)
    assert "files" not in mirrored.asked()[-2:]


def test_a_server_that_marks_no_end_is_refused_rather_than_believed(mirrored: Mirrored) -> None:
    mirrored.server.marks_the_end = False
    with pytest.raises(BadAnswerError, match="upgrade the Delta Sharing server"):
        mirrored.run()


def test_a_server_that_is_not_there_is_tried_again_and_then_named(mirrored: Mirrored) -> None:
    profile = Profile.parse(mirrored.server.profile().replace(mirrored.server.url, "http://127.0.0.1:9"))
    with ShareClient(profile, policy=FAST) as client, pytest.raises(TransientShareError, match="cannot be reached"):
        client.version(TABLE)


def test_no_request_waits_longer_than_it_may(mirrored: Mirrored) -> None:
    mirrored.server.break_("version", "slow", seconds=30)
    start = time.monotonic()
    with pytest.raises(SlowShareError):
        mirrored.run(policy=FAST)
    assert time.monotonic() - start < 25, "the answer takes 30"


@pytest.mark.parametrize("by_day", [True, False])
def test_a_file_that_stays_damaged_costs_its_days_and_the_others_are_mirrored(tmp_path: Path, by_day: bool) -> None:
    for mirrored in open_mirrored(tmp_path):
        for day in (D1, D2, D3):
            write(mirrored.source, events(day), by_day=by_day)
        mirrored.run()
        for day in (D1, D2, D3):
            replace_day(mirrored.source, day, events(day, 9, tag="new"), by_day=by_day)
        newest = sorted(mirrored.source.rglob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
        (damaged,) = [path for path in newest[-3:] if pl.read_parquet(path)["message_id"][0].startswith("new-0102")]
        whole = damaged.read_bytes()
        damaged.write_bytes(whole[:4] + bytes(len(whole) // 2 - 4) + whole[len(whole) // 2 :])
        with pytest.raises(CorruptFileError, match="of the share"):
            mirrored.run(policy=FAST, recheck=True)
        expected = ordered(pl.concat([events(D1, 9, tag="new"), events(D2), events(D3, 9, tag="new")]))
        assert_frame_equal(mirrored.rows(), expected)
        damaged.write_bytes(whole)
        mirrored.run()
        assert_frame_equal(mirrored.rows(), ordered(pl.concat([events(day, 9, tag="new") for day in (D1, D2, D3)])))


def test_a_run_that_ends_between_the_rows_and_their_fates_is_made_good_by_the_next(
    mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrored.run()
    replace_day(mirrored.source, D1, events(D1, 9, tag="new"))
    with ending_before(2, monkeypatch), pytest.raises(BrokenOffError):
        mirrored.run()
    assert BuiltDays.of(mirrored.lake, mirrored.slug, DELTA_SHARE).torn == {D1}
    mirrored.run()
    found = BuiltDays.of(mirrored.lake, mirrored.slug, DELTA_SHARE)
    assert D1 in found.at
    assert not found.torn
    fates = read_fates(mirrored.lake, mirrored.slug, Days(D1, D1), DELTA_SHARE.name)
    assert total(fates, RECEIVED) == 9
