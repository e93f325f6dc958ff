"""An event_date that no calendar of ours holds costs its row; the mirror goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from justai_assets_tests.sources.delta_share.shared import D1, Mirrored, events, open_mirrored

LIMIT = 2**31 - 1


@pytest.fixture
def mirrored(tmp_path: Path) -> Iterator[Mirrored]:
    yield from open_mirrored(tmp_path)


def share(folder: Path, files: dict[str, tuple[pa.Table, dict[str, str]]], *, partitioned: bool = False) -> None:
    """A Delta table by hand: no writer of ours takes such days."""
    kinds = {"event_timestamp": "timestamp", "event_date": "date"}
    names = [*events(D1).columns]
    fields = [{"name": one, "type": kinds.get(one, "string"), "nullable": True, "metadata": {}} for one in names]
    lines: list[dict[str, object]] = [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {"metaData": {
            "id": "t", "format": {"provider": "parquet", "options": {}}, "createdTime": 1, "configuration": {},
            "schemaString": json.dumps({"type": "struct", "fields": fields}),
            "partitionColumns": ["event_date"] if partitioned else [],
        }},
    ]  # fmt: skip
    (folder / "_delta_log").mkdir(parents=True)
    for name, (table, partition) in files.items():
        pq.write_table(table, folder / name)
        lines.append({"add": {
            "path": name, "partitionValues": partition, "size": (folder / name).stat().st_size, "dataChange": True,
            "modificationTime": 1, "stats": json.dumps({"numRecords": table.num_rows}),
        }})  # fmt: skip
    text = "\n".join(json.dumps(line) for line in lines)
    (folder / "_delta_log" / "00000000000000000000.json").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("day", [2_932_897, 18_281_000, LIMIT, -LIMIT, -719_163 - 366])
def test_a_row_of_an_impossible_day_is_refused_as_undated_and_the_others_are_mirrored(
    day: int, mirrored: Mirrored
) -> None:
    table = events(D1, 2).to_arrow()
    at = table.column_names.index("event_date")
    sound = table["event_date"].combine_chunks().cast(pa.date32()).view(pa.int32())[0].as_py()
    table = table.set_column(at, "event_date", pa.array([sound, day], pa.int32()).view(pa.date32()))
    share(mirrored.source, {"part-0.parquet": (table, {})})
    mirrored.run()
    assert mirrored.rows().height == 1
    assert mirrored.fates()[(None, "quarantined", "undated")] == 1
    assert mirrored.quarantine()["reason"].to_list() == ["undated"]
    assert mirrored.run() == []


def test_rows_of_an_impossible_time_are_refused_in_their_day(mirrored: Mirrored) -> None:
    table = events(D1, 2).to_arrow()
    at = table.column_names.index("event_timestamp")
    moment = table["event_timestamp"].combine_chunks().view(pa.int64())[0].as_py()
    times = pa.array([moment, 2**63 - 1]).cast(pa.timestamp("us", "UTC"))
    share(mirrored.source, {"part-0.parquet": (table.set_column(at, "event_timestamp", times), {})})
    mirrored.run()
    assert mirrored.fates()[(D1, "quarantined", "bad_timestamp")] == 1
    assert mirrored.rows().height == 1


@pytest.mark.parametrize("value", ["10000-01-01", "52026-11-20", "0000-01-01"])
def test_a_partition_of_an_impossible_day_is_refused_and_the_others_are_mirrored(
    value: str, mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    from justai_assets.testing.share_server import ndjson

    rows = events(D1, 1).drop("event_date").to_arrow()
    files = {name: (rows, {"event_date": str(D1)}) for name in ("part-0.parquet", "part-1.parquet")}
    share(mirrored.source, files, partitioned=True)
    original = ndjson.file_line

    def line(*given: object) -> dict[str, dict[str, object]]:
        # The server's own reader takes no such value: it is put into the answer.
        found: dict[str, dict[str, object]] = original(*given)
        if "part-1" in str(given):
            found["file"]["partitionValues"] = {"event_date": value}
        return found

    monkeypatch.setattr(ndjson, "file_line", line)
    mirrored.run()
    assert mirrored.rows().height == 1
    assert mirrored.fates()[(None, "quarantined", "undated")] == 1
