"""Types, columns and broken files that others write."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from justai_assets.attribution.event_files import InputError
from justai_assets.attribution.file_attribution import attribute_files
from justai_assets.attribution.rule import Rule
from justai_assets_tests.attribution.events import (
    custom_file,
    esp_file,
)
from justai_assets_tests.attribution.file_runs import (
    PURCHASE,
    SEND,
    damage,
    read_out,
    run,
)
from justai_assets_tests.attribution.oracle import rows_of, unified_by_sql


@pytest.mark.parametrize(
    "dtype", [pl.Datetime("ns"), pl.Datetime("ms", "Europe/Berlin"), pl.Datetime("us"), pl.Datetime("ns", "UTC")]
)
def test_timestamps_of_any_unit_and_zone_are_read_as_utc(tmp_path: Path, dtype: pl.Datetime) -> None:
    zone = pl.col("event_timestamp").dt.convert_time_zone(dtype.time_zone or "UTC")
    typed = zone.cast(pl.Datetime(dtype.time_unit, dtype.time_zone))
    out, _ = run(tmp_path, esp_file([SEND]).with_columns(typed), custom_file([PURCHASE]), Rule())
    assert rows_of(out) == rows_of(unified_by_sql(esp_file([SEND]), custom_file([PURCHASE]), Rule()))


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Int32, pl.UInt64, pl.Float64, pl.Categorical])
def test_ids_that_are_numbers_become_their_digits(tmp_path: Path, dtype: pl.DataType) -> None:
    esp = esp_file([SEND, {**SEND, "user_id": None, "campaign_id": None}])
    typed = pl.col("template_id", "campaign_id", "user_id").cast(dtype)
    out, _ = run(tmp_path, esp.with_columns(typed), custom_file([PURCHASE]), Rule())
    assert rows_of(out) == rows_of(unified_by_sql(esp, custom_file([PURCHASE]), Rule()))


@pytest.mark.parametrize("dtype", [pl.Decimal(18, 0), pl.Decimal(18, 2)], ids=str)
def test_ids_that_are_decimals_become_their_digits(dtype: pl.DataType, tmp_path: Path) -> None:
    esp = pl.DataFrame([{**SEND, "user_id": 700, "template_id": 501}]).cast({"user_id": dtype, "template_id": dtype})
    rows, summary = run(tmp_path, esp, pl.DataFrame([{**PURCHASE, "user_id": "700"}]), Rule())
    assert summary.attributed == 1
    assert set(rows["template_id"]) == {"501"}


@pytest.mark.parametrize("zone", ["+05:30", "Z", "-00:00"])
def test_a_time_zone_that_only_arrow_knows_is_read_as_utc(zone: str, tmp_path: Path) -> None:
    esp, custom = pl.DataFrame([SEND]).to_arrow(), pl.DataFrame([PURCHASE]).to_arrow()
    for name, table in (("esp", esp), ("custom", custom)):
        at = table.schema.get_field_index("event_timestamp")
        zoned = table.set_column(at, "event_timestamp", table["event_timestamp"].cast(pa.timestamp("us", zone)))
        pq.write_table(zoned.append_column("other", zoned["event_timestamp"]), tmp_path / f"{name}.parquet")
    summary = attribute_files(f"{tmp_path}/esp.parquet", f"{tmp_path}/custom.parquet", tmp_path / "out", Rule())
    rows = read_out(tmp_path / "out", summary)
    assert rows.sort("event_name")["event_timestamp"].to_list() == [
        SEND["event_timestamp"], PURCHASE["event_timestamp"],
    ]  # fmt: skip
    assert summary.attributed == 1


@pytest.mark.parametrize("kind", [pa.binary(), pa.string()])
def test_a_row_with_an_id_that_is_no_text_is_left_out_and_counted(kind: pa.DataType, tmp_path: Path) -> None:
    table = esp_file([SEND, {**SEND, "message_id": "n"}]).to_arrow()
    ids = pa.array([b"7", b"\xff"]).view(kind)
    pq.write_table(table.set_column(table.column_names.index("user_id"), "user_id", ids), tmp_path / "esp.parquet")
    custom_file([PURCHASE]).write_parquet(tmp_path / "custom.parquet")
    out = tmp_path / "out"
    summary = attribute_files(f"{tmp_path}/esp.parquet", f"{tmp_path}/custom.parquet", out, Rule())
    assert (summary.engagement, summary.attributed, summary.incomplete, summary.unreadable) == (1, 1, 1, ())
    assert set(read_out(out, summary)["message_id"]) == {"m"}


@pytest.mark.parametrize(
    "impossible",
    [pa.array([2**63 - 1], pa.timestamp("us")), pa.array([-(2**63) + 1], pa.timestamp("us")),
     pa.array([2**63 - 1], pa.timestamp("ms")), pa.array([1_795_000_000_000_000_000], pa.timestamp("us", "UTC")),
     pa.array([1_795_000_000_000_000_000], pa.timestamp("us", "+05:30")),
     pa.array([18446744073709552 + 1773100800000], pa.timestamp("ms"))],
)  # fmt: skip
@pytest.mark.parametrize("side", ["esp", "custom"])
def test_a_row_with_a_time_that_no_date_can_hold_is_left_out_and_counted(
    impossible: pa.Array, side: str, tmp_path: Path
) -> None:
    frames = {"esp": esp_file([SEND, SEND]), "custom": custom_file([PURCHASE, PURCHASE])}
    for name, frame in frames.items():
        table = frame.to_arrow()
        if name == side:
            moment = table["event_timestamp"].combine_chunks()[:1].cast(impossible.type, safe=False)
            at = table.column_names.index("event_timestamp")
            table = table.set_column(at, "event_timestamp", pa.concat_arrays([moment, impossible]))
        pq.write_table(table, tmp_path / f"{name}.parquet")
    summary = attribute_files(f"{tmp_path}/esp.parquet", f"{tmp_path}/custom.parquet", tmp_path / "out", Rule())
    counted = (2 if side == "custom" else 1, 1 if side == "custom" else 2, 1)
    assert (summary.engagement, summary.custom, summary.incomplete) == counted


def test_a_type_that_polars_does_not_know_in_a_column_that_is_not_read_does_not_matter(tmp_path: Path) -> None:
    esp_file([SEND]).write_parquet(tmp_path / "esp.parquet")
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT 'purchase' AS event_name, TIMESTAMP '2026-03-10 01:00:00' AS event_timestamp, "
            f"'7' AS user_id, INTERVAL 1 MONTH AS props) TO '{tmp_path}/custom.parquet' (FORMAT parquet)"
        )
    summary = attribute_files(f"{tmp_path}/esp.parquet", f"{tmp_path}/custom.parquet", tmp_path / "out", Rule())
    assert (summary.custom, summary.attributed) == (1, 1)


def test_files_with_different_types_columns_and_orders_are_read_together(tmp_path: Path) -> None:
    esp = esp_file([SEND, {**SEND, "user_id": "8", "message_id": "n"}])
    (tmp_path / "esp").mkdir()
    esp[:1].with_columns(pl.col("user_id").cast(pl.Int64), extra=1).write_parquet(tmp_path / "esp/a.parquet")
    esp[1:].select(reversed(esp.columns)).write_parquet(tmp_path / "esp/b.parquet")
    custom = custom_file([PURCHASE, {**PURCHASE, "user_id": "8"}])
    custom.write_parquet(tmp_path / "custom.parquet")
    summary = attribute_files(str(tmp_path / "esp"), str(tmp_path / "custom.parquet"), tmp_path / "out", Rule())
    assert rows_of(read_out(tmp_path / "out", summary)) == rows_of(unified_by_sql(esp, custom, Rule()))


def test_rows_without_a_name_or_a_time_are_counted_and_left_out(tmp_path: Path) -> None:
    esp = esp_file([SEND, {**SEND, "event_name": None}, {**SEND, "event_timestamp": None}])
    custom = custom_file([PURCHASE, {**PURCHASE, "event_timestamp": None}])
    out, summary = run(tmp_path, esp, custom, Rule())
    assert (len(out), summary.engagement, summary.custom, summary.incomplete) == (2, 1, 1, 3)


def test_a_missing_column_a_wrong_type_no_file_and_no_parquet_are_named(tmp_path: Path) -> None:
    esp, custom, out = tmp_path / "esp.parquet", tmp_path / "custom.parquet", tmp_path / "out"
    custom_file([PURCHASE]).write_parquet(custom)
    esp_file([SEND]).drop("message_id").write_parquet(esp)
    with pytest.raises(InputError, match=r"esp\.parquet lacks message_id"):
        attribute_files(str(esp), str(custom), out, Rule())
    esp_file([SEND]).with_columns(event_timestamp=pl.lit("yesterday")).write_parquet(esp)
    with pytest.raises(InputError, match="event_timestamp is String"):
        attribute_files(str(esp), str(custom), out, Rule())
    esp_file([SEND]).with_columns(user_id=pl.lit([1])).write_parquet(esp)
    with pytest.raises(InputError, match="user_id is List"):
        attribute_files(str(esp), str(custom), out, Rule())
    esp.write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match=r"esp\.parquet cannot be read as Parquet"):
        attribute_files(str(esp), str(custom), out, Rule())
    with pytest.raises(InputError, match=r"nothing\*\.parquet"):
        attribute_files(f"{tmp_path}/nothing*.parquet", str(custom), out, Rule())
    assert not out.exists()


def test_a_file_that_cannot_be_read_to_its_end_is_left_out_and_named(tmp_path: Path) -> None:
    sends = [SEND, {**SEND, "message_id": "other"}]
    run(tmp_path, esp_file(sends), custom_file([PURCHASE]), Rule())
    damage(tmp_path / "esp/2.parquet")
    (tmp_path / "custom/9.parquet").write_bytes(b"PAR1 not really")
    summary = attribute_files(f"{tmp_path}/esp", f"{tmp_path}/custom", tmp_path / "again", Rule())
    assert (summary.engagement, summary.attributed) == (1, 1)
    assert sorted(summary.unreadable) == [f"{tmp_path}/custom/9.parquet", f"{tmp_path}/esp/2.parquet"]
    assert set(read_out(tmp_path / "again", summary)["message_id"]) == {"m"}
