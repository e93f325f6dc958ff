"""Files as other people's tools write them, through the real assets: one bad thing costs one row or one file."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from justai_assets.contract.tables import CUSTOM_EVENTS, FATES, QUARANTINE, UNIFIED_EVENTS
from justai_assets.lake.built_days import BuiltDays
from justai_assets.lake.store import Lake
from justai_assets.quality.doctor.examination import examine
from justai_assets.quality.doctor.finding import Finding
from justai_assets.quality.org_status import org_doors
from justai_assets.sources.lineage import org_tables
from justai_assets.storage import Root
from justai_assets_tests.e2e.test_no_personal_data import lake_bytes
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAY = "2026-01-05"
FOLDER = f"redshift/acme/event_date={DAY}"


def custom(rows: int = 3, **columns: Any) -> pa.Table:
    base = {
        "event_timestamp": pa.array([NOON + timedelta(seconds=number) for number in range(rows)]),
        "event_name": pa.array(["purchase"] * rows),
        "user_id_or_email": pa.array([f"u{number}" for number in range(rows)]),
    }
    return pa.table({**base, **columns})


def unified(rows: int = 3, tag: str = "m") -> pa.Table:
    return pa.table(
        {
            "event_name": ["emailSend"] * rows, "event_timestamp": [NOON] * rows,
            "message_id": [f"{tag}{number}" for number in range(rows)], "template_id": ["501"] * rows,
            "campaign_id": ["9001"] * rows,
        }
    )  # fmt: skip


def content(table: pa.Table, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def fates(world: World, asset: str, org: str = "acme") -> dict[tuple[str, str | None], int]:
    found = world.table(FATES, org).filter(asset=asset, event_date=NOON.date())
    return {(row["fate"], row["reason"]): row["records"] for row in found.iter_rows(named=True) if row["records"]}


def doctor(world: World, org: str = "acme") -> list[Finding]:
    return list(examine(world.landing, world.lake, world.orgs[org], NOON + timedelta(days=1)))


def test_each_bad_value_costs_a_row_each_bad_file_a_file_and_nothing_else(world: World, capfd: Any) -> None:
    world.add_org(WEBHOOK_ORG)
    times = pa.array([int(NOON.timestamp() * 1000), 2**63 - 1, -(2**62)], pa.timestamp("ms"))
    bad = pa.array([b"ok", b"\xff\xfe", b"fine"])
    damaged = bytearray(content(custom(4000), compression="snappy"))
    damaged[40:400] = bytes(360)
    headerless = pa.table(
        {"2026-01-05 12:00:00": ["2026-01-05 12:00:01"], "purchase": ["x"], "jane@example.com": ["y"]}
    )
    files = {
        "good": content(custom()),
        "interval": content(custom(props=pa.array([b"x" * 12] * 3, pa.binary(12)))),
        "impossible": content(custom(event_timestamp=times)),
        "binary": content(custom(user_id_or_email=bad)),
        "no_text": content(custom(user_id_or_email=bad.view(pa.string()))),
        "twice": content(pa.table({"EVENT_NAME": ["wrong"] * 3, **{n: custom()[n] for n in custom().column_names}})),
        "damaged": bytes(damaged),
        "cut": content(custom())[:-20],
        "headerless": content(headerless),
        "bob@example.com": content(custom(alice_at=pa.array(["z"] * 3), **{"alice@example.com": pa.array(["z"] * 3)})),
    }
    for name, body in files.items():
        world.landing.write(f"{FOLDER}/{name}.parquet", body)
    assert world.materialize(DAY, DAY, "custom_events")
    good = 3 + 3 + 1 + 2 + 2 + 3 + 3
    assert fates(world, "custom_events") == {
        ("received", None): good + 2 + 2 + 4000 + 1 + 1, ("accepted", None): good,
        ("quarantined", "bad_timestamp"): 2, ("quarantined", "invalid_utf8"): 2,
        ("quarantined", "unreadable_file"): 4001, ("quarantined", "missing_column"): 1,
        ("unread_column", "EVENT_NAME"): 3, ("unread_column", "props"): 3,
        **{("unread_column", f"column {number} (name withheld)"): count
           for number, count in {1: 1, 2: 1, 3: 1, 4: 3, 5: 3}.items()},
    }  # fmt: skip
    assert set(world.table(CUSTOM_EVENTS)["event_name"]) == {"purchase"}
    refused = world.table(QUARANTINE).filter(reason="invalid_utf8")
    assert refused["source_row"].to_list() == [1, 1]
    said = " ".join([*(one.message for one in doctor(world)), *capfd.readouterr()])
    for name in ("jane@example.com", "bob@example.com", "alice"):
        assert name not in said
        assert not [path for path, held in lake_bytes(world) if name.encode() in held]


def test_databricks_files_count_per_transaction_and_the_doctor_leaves_them_alone(world: World) -> None:
    world.add_org(UNIFIED_ORG)
    folder = f"databricks/globex/event_date={DAY}"
    for number, tag in ((1, "a"), (2, "b"), (3, "c")):
        name = f"part-00000-tid-{number}-b57dcd81-0000-4e41-a35c-00000000000{number}-1-1-c000.snappy.parquet"
        world.landing.write(f"{folder}/{name}", content(unified(tag=tag)))
        if number > 1:
            listed = json.dumps({"added": [name], "removed": []}).encode()
            world.landing.write(f"{folder}/_committed_{number}", listed)
    world.landing.write(f"{folder}/_started_3", b"")
    world.landing.write(f"{folder}/_committed_vacuum9", json.dumps({"added": [], "removed": ["_committed_1"]}).encode())
    assert world.materialize(DAY, DAY, org="globex")
    assert fates(world, "unified_events", "globex") == {("received", None): 9, ("accepted", None): 9}
    assert world.table(UNIFIED_EVENTS, "globex").height == 9
    (parts,) = [one for one in doctor(world, "globex") if one.check == "stale parts"]
    assert (parts.level, parts.mend) == ("ok", "")


def test_file_names_and_roots_with_glob_characters_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "b[1]"
    monkeypatch.setenv("ACME_SALT", "a-salt-that-only-tests-know")
    monkeypatch.setenv("JUSTAI_LANDING", f"{folder}/landing")
    monkeypatch.setenv("JUSTAI_LAKE", f"{folder}/lake")
    folder.mkdir()
    world = World(folder, Root.parse(f"{folder}/landing"), Lake(Root.parse(f"{folder}/lake")))
    world.add_org(WEBHOOK_ORG)
    for name in ("part-*", "part-1", "part-[1]", "part-?"):
        world.landing.local(f"{FOLDER}").mkdir(parents=True, exist_ok=True)
        world.landing.local(f"{FOLDER}/{name}.parquet").write_bytes(content(custom()))
    assert world.materialize(DAY, DAY, "custom_events")
    assert fates(world, "custom_events") == {("received", None): 12, ("accepted", None): 12}


def test_folders_that_are_no_day_are_named_by_doctor_and_status_and_nothing_says_that_nothing_landed(
    world: World,
) -> None:
    world.add_org(WEBHOOK_ORG)
    for name in (f"EVENT_DATE={DAY}", f"event_date={DAY} 00%3A00%3A00"):
        world.landing.local(f"redshift/acme/{name}").mkdir(parents=True)
        world.landing.local(f"redshift/acme/{name}/part-0.parquet").write_bytes(content(custom()))
    from justai_assets.contract.days import Days

    org, lake = world.orgs["acme"], world.lake
    built = BuiltDays.of_tables(lake, "acme", org_tables(org))
    (status,) = [
        one for one in org_doors(org, world.landing, lake, Days.parse(DAY, DAY), built) if one.door == "redshift"
    ]
    found = [one for one in doctor(world) if one.door == "redshift"]
    said = " ".join(one.message for one in found)
    for name in (f"EVENT_DATE={DAY}/", f"event_date={DAY} 00%3A00%3A00/"):
        assert f"redshift/acme/{name}" in status.strays
        assert f"redshift/acme/{name}" in said
    assert "nothing has landed" not in said
    assert [one.level for one in found] == ["problem"]


@pytest.mark.parametrize("of", ["file", "folder", "manifest", "webhook"])
def test_a_link_that_leaves_the_orgs_folder_is_refused_and_named(of: str, world: World) -> None:
    world.add_org(WEBHOOK_ORG)
    other = f"redshift/globex/event_date={DAY}"
    world.landing.write(f"{other}/theirs.parquet", content(custom(50)))
    world.landing.write(f"{other}/manifest", json.dumps({"entries": []}).encode())
    world.landing.write(f"webhooks/iterable/globex/event_date={DAY}/0.jsonl", b"{}\n{}\n")
    mine, theirs = world.landing.local(FOLDER), world.landing.local(other)
    if of == "folder":
        mine.parent.mkdir(parents=True)
        mine.symlink_to(theirs)
    elif of == "webhook":
        link = world.landing.local(f"webhooks/iterable/acme/event_date={DAY}/0.jsonl")
        link.parent.mkdir(parents=True)
        link.symlink_to(world.landing.local(f"webhooks/iterable/globex/event_date={DAY}/0.jsonl"))
    else:
        world.landing.write(f"{FOLDER}/mine.parquet", content(custom()))
        name = "manifest" if of == "manifest" else "theirs.parquet"
        (mine / name).symlink_to(theirs / name)
    asset = "esp_events" if of == "webhook" else "custom_events"
    assert world.materialize(DAY, DAY, asset)
    own = {} if of in {"folder", "webhook"} else {("accepted", None): 3}
    links = 2 if of == "folder" else 1
    assert fates(world, asset) == {
        ("received", None): sum(own.values()) + links, ("quarantined", "link_outside"): links, **own,
    }  # fmt: skip
    named = set(world.table(QUARANTINE).filter(reason="link_outside")["source_file"])
    assert all("/acme/" in key for key in named)
    assert [one.level for one in doctor(world) if one.check == "links"] == ["problem"]


def test_a_link_within_the_orgs_folder_and_a_prefix_that_is_mounted_elsewhere_are_read(
    world: World, tmp_path: Path
) -> None:
    world.add_org(WEBHOOK_ORG)
    disk = tmp_path / "disk"
    (disk / f"event_date={DAY}").mkdir(parents=True)
    (disk / f"event_date={DAY}/a.parquet").write_bytes(content(custom()))
    (disk / f"event_date={DAY}/b.parquet").symlink_to("a.parquet")
    world.landing.local("redshift").mkdir(parents=True)
    world.landing.local("redshift/acme").symlink_to(disk)
    assert world.materialize(DAY, DAY, "custom_events")
    assert fates(world, "custom_events") == {("received", None): 6, ("accepted", None): 6}
    assert pl.DataFrame(world.table(QUARANTINE)).is_empty()
