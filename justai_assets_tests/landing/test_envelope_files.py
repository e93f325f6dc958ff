"""A large day that other processes parse gives the batches of a small one, whatever becomes of the processes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from justai_assets.landing import decoder, envelope_files
from justai_assets.landing.envelope_files import File, parse_envelopes
from justai_assets.landing.envelopes import Batch, read_envelopes
from justai_assets.sources.chameleon import parse as chameleon
from justai_assets.sources.iterable.parse import BODY
from justai_assets_tests.landing.test_decoder import ABORTS
from justai_assets_tests.landing.test_envelopes import BAD, GOOD, sound

DOOR = "iterable_webhooks"


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every day counts as a large one, and every file goes to a child by itself."""
    monkeypatch.setattr(envelope_files, "APART_BYTES", 0)
    monkeypatch.setattr(envelope_files, "GROUP_BYTES", 1)


@pytest.fixture
def files(tmp_path: Path) -> list[File]:
    contents = [
        b"\n".join([sound(1), sound(2, id=...), b""]),
        b"\n".join([*GOOD.values(), *(line for line, _ in BAD.values())]),
        b"\x28\xb5\x2f\xfd" + b"damaged",
        b"\n".join(sound(number) for number in range(100)),
        b"",
    ]
    found = []
    for number, content in enumerate(contents):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(content)
        found.append((path, f"key-{number}"))
    return found


def whole(batches: Iterable[Batch]) -> tuple[int, pl.DataFrame, pl.DataFrame]:
    some = list(batches)
    envelopes, rejected = pl.concat([one.envelopes for one in some]), pl.concat([one.rejected for one in some])
    return sum(one.received for one in some), envelopes, rejected


@pytest.mark.parametrize(
    ("door", "body", "with_line"), [(DOOR, BODY, False), ("chameleon_webhooks", chameleon.BODY, True)]
)
def test_children_give_the_batches_of_one_process_in_their_order(
    files: list[File], tmp_path: Path, door: str, body: pl.Struct, with_line: bool
) -> None:
    received, envelopes, rejected = whole(parse_envelopes(files, door, body, tmp_path, with_line=with_line))
    alone = whole(read_envelopes(files, door, body, with_line=with_line))
    assert received == alone[0]
    assert envelopes.equals(alone[1])
    order = ("source_file", "source_row")
    assert rejected.sort(order).equals(alone[2].sort(order))
    assert not list(tmp_path.rglob("*.arrow")), "what a child wrote is gone once it was taken"


def test_a_child_that_dies_costs_no_record(files: list[File], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder.end_all()
    with monkeypatch.context() as patch:
        patch.setattr(decoder, "_START", ABORTS)
        received, envelopes, _ = whole(parse_envelopes(files, DOOR, BODY, tmp_path))
    alone = whole(read_envelopes(files, DOOR, BODY))
    assert received == alone[0]
    assert envelopes.equals(alone[1])


def test_an_absent_scratch_folder_and_a_file_that_is_gone_are_errors(files: list[File], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(parse_envelopes(files, DOOR, BODY, tmp_path / "absent"))
    monday = tmp_path / "monday"
    monday.mkdir()
    files[2][0].unlink()
    with pytest.raises(FileNotFoundError):
        list(parse_envelopes(files[:1] + files[3:] + files[2:3], DOOR, BODY, monday))


def test_a_small_day_asks_no_child(files: list[File], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope_files, "APART_BYTES", 1 << 20)
    monkeypatch.setattr(decoder, "ask", lambda _: pytest.fail("a child was asked"))
    assert whole(parse_envelopes(files, DOOR, BODY, tmp_path))[0] > 100


def test_while_children_are_busy_the_parent_parses_too_and_the_order_stays(
    files: list[File], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, ask = [], decoder.ask

    def slow(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        time.sleep(0.5)
        return ask(request)

    monkeypatch.setattr(decoder, "ask", slow)
    many = files * 4
    received, envelopes, _ = whole(parse_envelopes(many, DOOR, BODY, tmp_path))
    alone = whole(read_envelopes(many, DOOR, BODY))
    assert received == alone[0]
    assert envelopes.equals(alone[1])
    assert len(asked) < len(many) - 1, "the parent takes the first group, and others while it would wait"
