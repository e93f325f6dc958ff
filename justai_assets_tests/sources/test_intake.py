"""A day taken in as a whole: several files, damaged ones among them, and one fate for every record."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from justai_assets.contract.errors import JustAIError
from justai_assets.landing.envelope_writer import rejected_line
from justai_assets.landing.landing_paths import day_prefix
from justai_assets.serving.request_json import STATUS
from justai_assets_tests.landing.test_envelopes import BAD
from justai_assets_tests.sources.doors import DAY, take
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, envelope, esp, journey

AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
FOLDER = day_prefix("iterable_webhooks", "acme", DAY)
DROPS = day_prefix("redshift", "acme", DAY)


@pytest.fixture
def acme(world: World) -> World:
    world.add_org(WEBHOOK_ORG)
    return world


def send(number: int) -> str:
    return esp("emailSend", "2026-01-05 10:00:00", messageId=f"{number:032x}", templateId=501, campaignId=9001)


def frame(rows: int = 3, name: str = "purchase") -> pl.DataFrame:
    return pl.DataFrame({"event_timestamp": [AT] * rows, "event_name": [name] * rows, "user_id_or_email": ["u"] * rows})


def test_an_absent_day_and_empty_files_receive_nothing(acme: World) -> None:
    assert take(acme, "iterable_webhooks").received == 0
    acme.landing.write(f"{FOLDER}/0000.jsonl", b"\n \n")
    acme.landing.write(f"{FOLDER}/0001.jsonl.zst", zstandard.compress(b""))
    assert take(acme, "iterable_webhooks").received == 0
    assert take(acme, "redshift").received == 0


def test_a_duplicate_in_another_file_is_one_event(acme: World) -> None:
    acme.land("iterable_webhooks", "acme", DAY, [send(1), send(2)], "a")
    acme.land("iterable_webhooks", "acme", DAY, [send(2), send(3)], "b")
    found = take(acme, "iterable_webhooks")
    assert (found.received, found.accepted.height, found.duplicates) == (4, 3, 1)
    assert found.accepted.filter(message_id=f"{2:032x}")["source_file"].item().endswith("a.jsonl.zst")


@pytest.mark.parametrize("missing", [None, "", " ", ...])
def test_events_without_an_id_get_their_own_and_stay_apart(missing: object, acme: World) -> None:
    lines = []
    for line in (send(1), send(2), send(2)):
        landed = json.loads(line)
        landed["id"] = missing
        lines.append(json.dumps({key: value for key, value in landed.items() if value is not ...}))
    acme.land("iterable_webhooks", "acme", DAY, [*lines, send(1)])
    found = take(acme, "iterable_webhooks")
    assert (found.accepted.height, found.duplicates) == (2, 2)


def test_a_file_beside_a_damaged_one_is_read_whole_and_the_damaged_one_is_named(acme: World) -> None:
    acme.land("iterable_webhooks", "acme", DAY, [send(number) for number in range(50)], "sound")
    cut = zstandard.compress("".join(f"{send(number)}\n" for number in range(100, 3000)).encode())
    acme.landing.write(f"{FOLDER}/cut.jsonl.zst", cut[: len(cut) // 2])
    found = take(acme, "iterable_webhooks")
    assert found.accepted.filter(pl.col("source_file").str.ends_with("sound.jsonl.zst")).height == 50
    assert found.rejected.select("reason", "source_file", "source_row").rows() == [
        ("unreadable_file", f"{FOLDER}/cut.jsonl.zst", None)
    ]
    assert found.accepted.height > 50, "what lies before the damage is kept"


def test_a_receipt_of_nonsense_beside_good_ones_changes_none_of_them(acme: World) -> None:
    sound = [send(number) for number in range(20)]
    acme.land("iterable_webhooks", "acme", DAY, sound)
    alone = take(acme, "iterable_webhooks").accepted
    acme.landing.delete(f"{FOLDER}/0000.jsonl.zst")
    bad = [line for line, _ in BAD.values()]
    mixed = [piece for pair in zip((one.encode() for one in sound), bad[:20], strict=True) for piece in pair]
    acme.landing.write(f"{FOLDER}/0000.jsonl.zst", zstandard.compress(b"\n".join(mixed)))
    found = take(acme, "iterable_webhooks")
    assert found.accepted.equals(alone)
    assert found.reasons == sorted(reason for _, reason in list(BAD.values())[:20])


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(
            st.sampled_from(
                [send(1), send(2), send(3), esp("emailOpen", "2026-01-06 10:00:00"), esp("emailOpen", "?"), ""]
            )
            | st.sampled_from([line.decode("latin-1") for line, _ in BAD.values()]),
            max_size=6,
        ),
        max_size=3,
    )
)
def test_whatever_lands_is_received_once_and_has_one_fate(acme: World, files: list[list[str]]) -> None:
    acme.landing.delete(*(found.key for found in acme.landing.list(FOLDER)))
    for index, lines in enumerate(files):
        acme.landing.write(f"{FOLDER}/{index}.jsonl", "\n".join(lines).encode("latin-1"))
    found = take(acme, "iterable_webhooks")  # holds the sums
    records = [line for lines in files for line in lines if line.encode("latin-1").strip()]
    assert found.received == len(records)
    assert found.accepted.height == len({line for line in records if line in {send(1), send(2), send(3)}})


def test_undated_records_are_all_refused_whatever_they_hold(acme: World) -> None:
    acme.land("iterable_webhooks", "acme", None, [send(1), esp("emailOpen", "?"), "{broken", envelope({})])
    found = take(acme, "iterable_webhooks", None)
    assert found.accepted.is_empty()
    assert found.reasons == ["missing_event_name", "not_json", "undated", "undated"]
    acme.drop("redshift", "acme", None, frame())
    assert take(acme, "redshift", None).reasons == ["undated"] * 3


def parquet(content: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    content.write_parquet(buffer)
    return buffer.getvalue()


def test_each_broken_file_of_a_drop_is_named_and_the_rest_of_the_day_goes_on(any_world: World) -> None:
    any_world.add_org(WEBHOOK_ORG)
    whole = parquet(frame(3))
    objects = {
        "a.parquet": whole,
        "cut.parquet": whole[:-20],
        "text.parquet": b"not Parquet",
        "short.parquet": parquet(frame(4).drop("event_name")),
        "typed.parquet": parquet(frame(5).with_columns(event_timestamp=pl.lit("soon"))),
        "z.parquet": parquet(frame(2, "signup").with_columns(basket=pl.lit(1), event_date=pl.lit(DAY))),
        "empty.parquet": b"",
        "_SUCCESS": b"",
        "notes.txt": b"hello",
    }
    for name, content in objects.items():
        any_world.landing.write(f"{DROPS}/{name}", content)
    found = take(any_world, "redshift")
    assert sorted(found.accepted["event_name"]) == ["purchase"] * 3 + ["signup"] * 2
    refused = {Path(row["source_file"]).name: (row["reason"], row["records"]) for row in found.rejected.to_dicts()}
    assert refused == {
        "cut.parquet": ("unreadable_file", 1),
        "text.parquet": ("unreadable_file", 1),
        "short.parquet": ("missing_column", 4),
        "typed.parquet": ("wrong_type", 5),
    }
    assert found.received == 5 + 2 + 9
    assert found.extra == {"basket": 2}
    assert any("cut.parquet" in mark for mark in found.marks)
    assert any("basket" in mark for mark in found.marks)


@pytest.mark.parametrize("int96", [False, True])
def test_a_damaged_page_refuses_the_file_with_all_its_rows_and_no_other(int96: bool, acme: World) -> None:
    rows = 5000
    content = pa.table(
        {
            "event_timestamp": pa.array([AT.replace(tzinfo=None)] * rows, pa.timestamp("us")),
            "event_name": pa.array([f"purchase {index}" for index in range(rows)]),
            "user_id_or_email": pa.array([f"user-{index}" for index in range(rows)]),
        }
    )
    buffer = io.BytesIO()
    pq.write_table(content, buffer, use_deprecated_int96_timestamps=int96, compression="snappy")
    damaged = bytearray(buffer.getvalue())
    middle = len(damaged) // 3
    damaged[middle : middle + 200] = b"\xff" * 200
    acme.landing.write(f"{DROPS}/damaged.parquet", bytes(damaged))
    acme.drop("redshift", "acme", DAY, frame(), "sound")
    found = take(acme, "redshift")
    assert found.accepted.height == 3
    assert found.rejected.select("reason", "records").rows() == [("unreadable_file", rows)]


def test_a_stale_part_is_counted_and_left_out_and_a_missing_one_counted_too(acme: World) -> None:
    acme.drop("redshift", "acme", DAY, frame(3), "live")
    acme.drop("redshift", "acme", DAY, frame(4), "stale")
    acme.landing.write(f"{DROPS}/stale2.parquet", b"not Parquet")
    entries = [
        {"url": f"s3://b/{DROPS}/live.parquet"},
        {"url": f"s3://b/{DROPS}/gone.parquet", "meta": {"record_count": 9}},
    ]
    acme.landing.write(f"{DROPS}/manifest", json.dumps({"entries": entries}).encode())
    found = take(acme, "redshift")
    assert found.received == 3 + 4 + 1 + 9
    assert sorted(found.rejected.select("reason", "records").rows()) == [
        ("missing_file", 9), ("not_committed", 1), ("not_committed", 4),
    ]  # fmt: skip


def test_an_unreadable_manifest_is_counted_and_the_files_are_read(acme: World) -> None:
    acme.drop("redshift", "acme", DAY, frame(3))
    acme.landing.write(f"{DROPS}/manifest", b"{")
    found = take(acme, "redshift")
    assert (found.accepted.height, found.reasons) == (3, ["unreadable_file"])
    assert any("manifest" in mark for mark in found.marks)


def test_a_unified_drop_with_names_in_capitals_and_numbers_for_ids_is_read(world: World) -> None:
    world.add_org(UNIFIED_ORG, slug="acme")
    content = pl.DataFrame({"EVENT_NAME": ["emailSend"], "CAMPAIGN_ID": [9001.0], "TEMPLATE_ID": [501],
                            "MESSAGE_ID": ["m1"], "EVENT_TIMESTAMP": [AT.replace(tzinfo=None)]})  # fmt: skip
    world.drop("databricks", "acme", DAY, content)
    row = take(world, "databricks").row
    assert (row["campaign_id"], row["template_id"], row["event_timestamp"]) == ("9001", "501", AT)


def test_a_missing_salt_is_the_orgs_mistake_and_not_the_records(acme: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_SALT")
    acme.land("journey_webhooks", "acme", DAY, [journey("2026-01-05 11:00:00")])
    acme.drop("redshift", "acme", DAY, frame())
    for door in ("journey_webhooks", "redshift"):
        with pytest.raises(JustAIError, match=r"ACME_SALT"):
            take(acme, door)


def test_nothing_is_left_in_the_temporary_folder(acme: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    acme.land("iterable_webhooks", "acme", DAY, [send(1), "{broken"])
    acme.drop("redshift", "acme", DAY, frame())
    take(acme, "iterable_webhooks")
    take(acme, "redshift")
    (ours,) = scratch.iterdir()
    assert [*ours.iterdir(), *(ours / "scratch").iterdir()] == [ours / "scratch"]
    assert {path.stat().st_mode & 0o777 for path in (ours, ours / "scratch")} == {0o700}


@pytest.mark.parametrize("door", ["iterable_webhooks", "journey_webhooks", "chameleon_webhooks"])
@pytest.mark.parametrize("reason", sorted(STATUS))
def test_what_the_collector_refused_keeps_its_reason(door: str, reason: str, world: World) -> None:
    sources = {**WEBHOOK_ORG["sources"], "chameleon_webhooks": {"signing_secret": "env:ACME_SALT"}}
    world.add_org(WEBHOOK_ORG, sources=sources, custom=["journey_webhooks", "chameleon_webhooks"])
    at = "2026-01-05T12:00:00.000000Z"
    line = rejected_line("r", at, {}, b"{", reason=reason, status=400, content_type="", length=1)
    world.land(door, "acme", None, [line.decode().strip()])
    assert take(world, door, None).reasons == [reason]


def test_a_reason_that_a_sender_made_up_counts_for_nothing(acme: World) -> None:
    honest = json.loads(send(1))
    honest["body"]["rejected"] = "not_json"
    unknown = json.loads(send(2))
    unknown["body"]["rejected"] = "ada@example.com"
    acme.land("iterable_webhooks", "acme", DAY, [json.dumps(honest), json.dumps(unknown)])
    assert take(acme, "iterable_webhooks").accepted.height == 2
    acme.land("iterable_webhooks", "acme", None, [json.dumps(unknown)])
    assert take(acme, "iterable_webhooks", None).reasons == ["undated"]
