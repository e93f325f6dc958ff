import json
import time
from datetime import date
from pathlib import Path

import pytest

from justai_assets.contract.errors import StorageError, TransientStorageError
from justai_assets.landing.listing import list_days
from justai_assets.serving.journal.record_format import pack, tag_of
from justai_assets.serving.journal.segment_landing import shorten
from justai_assets.serving.journal.uploads import UPLOADS, source_of
from justai_assets.storage import Root
from justai_assets_tests.serving.segments import FIFTH, RECORDS, SIXTH, crowd, line, seal, written
from justai_assets_tests.serving.service import landed


def test_lines_land_in_the_folder_of_their_door_org_and_day(tmp_path: Path) -> None:
    root = Root.parse(str(tmp_path / "landing"))
    sealed = seal(written(tmp_path / "journal", RECORDS), root)
    assert (sealed.objects, sealed.lines, sealed.torn_bytes, sealed.damaged_bytes) == (5, 6, 0, 0)
    folders = {one["id"]: one["key"].rpartition("/")[0] for one in landed(root)}
    assert folders == {
        "a": "webhooks/iterable/acme/event_date=2026-01-05",
        "b": "webhooks/iterable/acme/event_date=2026-01-06",
        "c": "webhooks/events/acme/event_date=2026-01-05",
        "d": "webhooks/iterable/other/event_date=2026-01-05",
        "e": "webhooks/iterable/acme/event_date=__HIVE_DEFAULT_PARTITION__",
        "f": "webhooks/iterable/acme/event_date=2026-01-05",
    }
    days = list_days(root, "iterable_webhooks", "acme")
    assert {day: len(found.data) for day, found in days.items()} == {FIFTH: 1, SIXTH: 1}
    assert all(not found.signs for found in days.values())


def test_sealing_again_writes_the_same_objects_byte_for_byte(tmp_path: Path) -> None:
    segment = written(tmp_path / "journal", RECORDS)
    root = Root.parse(str(tmp_path / "landing"))
    seal(segment, root)
    first = {found.key: root.read(found.key) for found in root.list("webhooks")}
    seal(segment, root)
    assert {found.key: root.read(found.key) for found in root.list("webhooks")} == first


def test_a_segment_has_the_same_names_wherever_it_was_moved(tmp_path: Path) -> None:
    segment = written(tmp_path / "journal", RECORDS)
    root = Root.parse(str(tmp_path / "landing"))
    seal(segment, root)
    names = {found.key for found in root.list("webhooks")}
    seal(segment.rename(tmp_path / "rescued.bin"), root)
    assert {found.key for found in root.list("webhooks")} == names


def test_equal_lines_of_two_segments_are_two_objects(tmp_path: Path) -> None:
    root = Root.parse(str(tmp_path / "landing"))
    for _ in range(2):
        seal(written(tmp_path / "journal", RECORDS[:1]), root)
    assert [one["id"] for one in landed(root)] == ["a", "a"]


def test_a_refused_day_holds_back_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = written(tmp_path / "journal", RECORDS)

    def write(landing: Root, key: str, content: bytes) -> None:
        if "iterable/acme/event_date=2026-01-05" in key:
            raise StorageError("access denied")
        landing.write(key, content)

    monkeypatch.setattr("justai_assets.serving.journal.uploads.write_durably", write)
    sealed = seal(segment, Root.parse(str(tmp_path / "landing")))
    assert sealed.left == {tag_of("iterable_webhooks", "acme", FIFTH)}
    assert sealed.objects == 4


def test_a_local_landing_root_that_is_gone_takes_nothing_and_is_not_made(tmp_path: Path) -> None:
    segment = written(tmp_path / "journal", RECORDS)
    (tmp_path / "landing").rmdir()
    sealed = seal(segment, Root.parse(str(tmp_path / "landing")))
    assert sealed.objects == 0
    assert all(one.transient for one in sealed.refused)
    assert not (tmp_path / "landing").exists()


def test_a_landing_zone_that_refuses_everything_leaves_every_group_and_says_why(tmp_path: Path) -> None:
    segment = written(tmp_path / "journal", RECORDS)
    (tmp_path / "landing").mkdir(exist_ok=True)
    (tmp_path / "landing" / "webhooks").write_text("in the way")
    sealed = seal(segment, Root.parse(str(tmp_path / "landing")))
    assert sealed.left == {tag for tag, _ in RECORDS}
    assert {source_of(one.tag) for one in sealed.refused} == {
        "iterable_webhooks/acme", "journey_webhooks/acme", "iterable_webhooks/other",
    }  # fmt: skip
    assert {(one.error, one.transient) for one in sealed.refused} == {("storage_transient", True)}
    assert all(one.what.startswith("writing webhooks/") for one in sealed.refused)
    assert segment.exists()


def denying(monkeypatch: pytest.MonkeyPatch, *orgs: str) -> list[str]:
    """Let the landing zone refuse some orgs' prefixes for good; every key that was tried."""
    tried: list[str] = []

    def write(landing: Root, key: str, content: bytes) -> None:
        tried.append(key)
        if key.split("/")[2] in orgs:
            raise StorageError("access denied")
        landing.write(key, content)

    monkeypatch.setattr("justai_assets.serving.journal.uploads.write_durably", write)
    return tried


def test_one_orgs_refused_prefix_keeps_no_other_org_from_landing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Root.parse(str(tmp_path / "landing"))
    denying(monkeypatch, "org00", "org17")
    sealed = seal(crowd(tmp_path, 30), root)
    assert len({one["key"].split("/")[2] for one in landed(root)}) == sealed.objects == 28
    assert sealed.left == {tag_of("iterable_webhooks", org, FIFTH) for org in ("org00", "org17")}
    assert [(source_of(one.tag), one.error, one.transient) for one in sealed.refused] == [
        ("iterable_webhooks/org00", "storage", False),
        ("iterable_webhooks/org17", "storage", False),
    ]


def test_a_shortened_segment_holds_what_is_left_and_lands_it_under_the_same_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "whole").mkdir()
    whole = Root.parse(str(tmp_path / "whole"))
    path = crowd(tmp_path, 5)
    seal(path, whole)
    root = Root.parse(str(tmp_path / "landing"))
    with monkeypatch.context() as patch:
        denying(patch, "org03", "org04")
        left = seal(path, root).left
    before = path.stat().st_size
    shorten(path, left)
    assert path.stat().st_size < before
    tried = denying(monkeypatch)
    sealed = seal(path, root)
    assert (sealed.objects, sealed.lines, sealed.left) == (2, 9, frozenset())
    assert {key.split("/")[2] for key in tried} == {"org03", "org04"}, "what was landed is not written again"
    assert {one.key for one in root.list("webhooks")} == {one.key for one in whole.list("webhooks")}
    assert sorted(one["id"] for one in landed(root)) == sorted(one["id"] for one in landed(whole))


def test_sources_that_are_avoided_and_tags_that_are_done_are_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = denying(monkeypatch)
    tags = {org: tag_of("iterable_webhooks", org, FIFTH) for org in ("org01", "org02")}
    sealed = seal(
        crowd(tmp_path, 4), Root.parse(str(tmp_path / "landing")), avoid={tags["org01"]},
        only=frozenset(tags.values()),
    )  # fmt: skip
    assert [key.split("/")[2] for key in tried] == ["org02"]
    assert sealed.left == {tags["org01"]}
    assert sealed.refused == ()


def test_a_landing_zone_that_is_away_is_not_asked_for_every_org(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def write(_: Root, key: str, __: bytes) -> None:
        tried.append(key)
        time.sleep(0.01)
        raise TransientStorageError("away")

    monkeypatch.setattr("justai_assets.serving.journal.uploads.write_durably", write)
    sealed = seal(crowd(tmp_path, 60), Root.parse(str(tmp_path / "landing")))
    assert len(sealed.left) == 60
    assert len(tried) <= 2 * UPLOADS


def test_lines_of_many_days_need_little_memory(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "00000001.closed"
    with path.open("wb") as file:
        for number in range(60_000):
            day = date.fromordinal(FIFTH.toordinal() + number % 300)
            file.write(pack(tag_of("iterable_webhooks", "acme", day), line(str(number)), number))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sealed = seal(path, Root.parse(str(tmp_path / "landing")))
    assert (sealed.objects, sealed.lines) == (300, 60_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"


def test_a_landed_line_is_the_line_that_was_journaled(tmp_path: Path) -> None:
    root = Root.parse(str(tmp_path / "landing"))
    seal(written(tmp_path / "journal", RECORDS[:1]), root)
    (found,) = landed(root)
    assert {key: found[key] for key in ("id", "received_at", "query", "body")} == json.loads(line("a"))
