from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from justai_assets.attribution.files import OutputError, Summary, attribute_files
from justai_assets.attribution.inputs import InputError
from justai_assets.attribution.limits import Limits
from justai_assets.attribution.rule import Rule
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets_tests.attribution.events import (
    MIDNIGHT,
    custom_file,
    custom_files,
    esp_file,
    esp_files,
    limits,
    rules,
)
from justai_assets_tests.attribution.oracle import judge, rows_of, unified_by_sql

SEND: dict[str, Any] = {
    "event_name": "emailSend", "event_timestamp": MIDNIGHT, "message_id": "m", "template_id": "501",
    "campaign_id": "9001", "user_id": "7",
}  # fmt: skip
PURCHASE: dict[str, Any] = {"event_name": "purchase", "event_timestamp": MIDNIGHT + timedelta(hours=1), "user_id": "7"}


def run(
    folder: Path, esp: pl.DataFrame, custom: pl.DataFrame, rule: Rule, **options: Any
) -> tuple[pl.DataFrame, Summary]:
    for name, frame in (("esp", esp), ("custom", custom)):
        half = len(frame) // 2
        (folder / name).mkdir()
        # One file has its rows by time, so that some row groups are of one day; the other as they come.
        frame[:half].sort("event_timestamp").write_parquet(folder / name / "1.parquet", row_group_size=2)
        frame[half:].write_parquet(folder / name / "2.parquet", row_group_size=3)
    summary = attribute_files(f"{folder}/esp/*.parquet", f"{folder}/custom/*.parquet", folder / "out", rule, **options)
    return read_out(folder / "out", summary), summary


def read_out(out: Path, summary: Summary) -> pl.DataFrame:
    files = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert files == sorted(summary.files)
    frames = [UNIFIED_EVENTS.schema.to_frame()]
    for name in files:
        frame = pl.read_parquet(out / name, hive_partitioning=False)
        assert frame.schema == UNIFIED_EVENTS.schema
        assert len(frame) > 0
        assert {f"event_date={day}" for day in frame["event_date"]} == {name.split("/")[0]}
        frames.append(frame)
    return pl.concat(frames)


def reasons(esp: pl.DataFrame, custom: pl.DataFrame, rule: Rule) -> dict[str, int]:
    """The unattributed events by reason, as the other oracle counts them."""
    keyed = [{**row, "user_key": row["user_id"], "email_key": None} for row in esp.to_dicts()]
    counted: Counter[str] = Counter()
    for event in custom.to_dicts():
        earliest = event["event_timestamp"].date() - timedelta(days=3)
        known = [row for row in keyed if row["event_timestamp"].date() >= earliest]
        reason = judge({**event, "user_key": event["user_id"], "email_key": None}, known, rule).reason
        counted.update([reason] if reason else [])
    return dict(counted)


def check_against_the_sql(esp: pl.DataFrame, custom: pl.DataFrame, rule: Rule, **options: Any) -> None:
    expected = unified_by_sql(esp, custom, rule)
    with TemporaryDirectory() as folder:
        out, summary = run(Path(folder), esp, custom, rule, **options)
    assert rows_of(out) == rows_of(expected)
    assert (summary.engagement, summary.custom, summary.incomplete) == (len(esp), len(custom), 0)
    assert summary.attributed == len(expected) - len(esp)
    assert summary.unattributed == reasons(esp, custom, rule)
    assert summary.attributed + sum(summary.unattributed.values()) == summary.custom
    assert summary.days == dict(sorted(expected["event_date"].value_counts().iter_rows()))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(esp_files, custom_files, rules, limits)
def test_the_output_is_that_of_the_documented_sql(
    esp: list[dict[str, Any]], custom: list[dict[str, Any]], rule: Rule, cut: Limits
) -> None:
    check_against_the_sql(esp_file(esp), custom_file(custom), rule, limits=cut)


def test_only_the_days_asked_for_are_written_and_earlier_sends_still_count(tmp_path: Path) -> None:
    esp = esp_file([SEND, {**SEND, "event_timestamp": MIDNIGHT + timedelta(days=1)}])
    times = [timedelta(hours=1), timedelta(hours=23), timedelta(days=1)]
    custom = custom_file([{**PURCHASE, "event_timestamp": MIDNIGHT + after} for after in times])
    day = date(2026, 3, 10)
    out, summary = run(tmp_path, esp, custom, Rule(), first=day, last=day)
    assert summary.days == {day: 3}
    later = date(2026, 3, 11)
    custom = custom_file([{**PURCHASE, "event_timestamp": MIDNIGHT + timedelta(hours=26)}])
    (tmp_path / "next").mkdir()
    out, summary = run(tmp_path / "next", esp[:1], custom, Rule(window_hours=48), first=later)
    assert out.select("event_name", "message_id").rows() == [("purchase", "m")]
    assert summary.engagement == 0


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


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_user_id_is_nobody(blank: str, tmp_path: Path) -> None:
    esp, custom = pl.DataFrame([{**SEND, "user_id": blank}]), pl.DataFrame([{**PURCHASE, "user_id": blank}])
    _, summary = run(tmp_path, esp, custom, Rule())
    assert (summary.engagement, summary.unattributed) == (1, {"no_identity": 1})


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


def test_names_with_glob_characters_are_read_once(tmp_path: Path) -> None:
    folder = tmp_path / "a/[b]"
    folder.mkdir(parents=True)
    for name in ("esp[1].parquet", "esp1.parquet", "esp*.parquet"):
        esp_file([SEND]).write_parquet(folder / name)
    custom_file([PURCHASE]).write_parquet(tmp_path / "custom.parquet")
    for number, (pattern, count) in enumerate({"esp[1].parquet": 1, "esp*.parquet": 1, "": 3, "esp[[]*": 1}.items()):
        out = tmp_path / f"out-{number}"
        summary = attribute_files(f"{folder}/{pattern}".rstrip("/"), f"{tmp_path}/custom.parquet", out, Rule())
        assert (pattern, summary.engagement, summary.attributed) == (pattern, count, 1)


def test_a_glob_that_matches_folders_searches_them_and_counts_each_file_once(tmp_path: Path) -> None:
    for folder in ("esp/event_date=2026-01-05", "esp/event_date=2026-01-06/deeper", "esp/_delta_log"):
        (tmp_path / folder).mkdir(parents=True)
        pl.DataFrame([SEND]).write_parquet(tmp_path / folder / "part-0.parquet")
    pl.DataFrame([PURCHASE]).write_parquet(tmp_path / "custom.parquet")
    for number, pattern in enumerate(("esp/*", "esp/event_date=*", "esp/**", "esp/**/*.parquet", "esp")):
        out = tmp_path / f"out-{number}"
        summary = attribute_files(f"{tmp_path}/{pattern}", f"{tmp_path}/custom.parquet", out, Rule())
        assert (summary.engagement, summary.custom) == (2, 1), pattern


def test_an_output_that_is_a_link_is_written_where_it_points(tmp_path: Path) -> None:
    for name, row in (("esp", SEND), ("custom", PURCHASE)):
        pl.DataFrame([row]).write_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    summary = attribute_files(f"{tmp_path}/esp.parquet", f"{tmp_path}/custom.parquet", tmp_path / "link", Rule())
    assert (tmp_path / "link").is_symlink()
    assert len(read_out(tmp_path / "real", summary)) == 2


def test_the_working_directory_is_refused_as_an_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, row in (("esp", SEND), ("custom", PURCHASE)):
        pl.DataFrame([row]).write_parquet(tmp_path.parent / f"{tmp_path.name}-{name}.parquet")
    where = f"{tmp_path}-esp.parquet", f"{tmp_path}-custom.parquet"
    with pytest.raises(OutputError, match=r"working directory \(name a folder in it"):
        attribute_files(*where, Path(), Rule())


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


def test_a_folder_is_searched_and_hidden_entries_are_passed_over(tmp_path: Path) -> None:
    for name in ("esp/event_date=2026-03-10/part-0.parquet", "custom/a.parquet"):
        (tmp_path / name).parent.mkdir(parents=True)
        (esp_file([SEND]) if "esp" in name else custom_file([PURCHASE])).write_parquet(tmp_path / name)
    (tmp_path / "esp/_delta_log").mkdir()
    (tmp_path / "esp/_delta_log/0.checkpoint.parquet").write_bytes(b"not events")
    (tmp_path / "esp/_SUCCESS").write_bytes(b"")
    summary = attribute_files(f"{tmp_path}/esp", f"{tmp_path}/cust*/**/*.parquet", tmp_path / "out", Rule())
    assert (summary.engagement, summary.attributed) == (1, 1)


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


def test_a_folder_that_holds_something_is_refused_unless_it_may_be_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious").write_text("keep me")
    with pytest.raises(OutputError, match="is not empty"):
        run(tmp_path, esp_file([SEND]), custom_file([PURCHASE]), Rule())
    assert (out / "precious").read_text() == "keep me"
    summary = attribute_files(f"{tmp_path}/esp/*.parquet", f"{tmp_path}/custom/*.parquet", out, Rule(), overwrite=True)
    assert len(read_out(out, summary)) == 2


def test_a_folder_that_holds_an_input_is_never_replaced(tmp_path: Path) -> None:
    esp_file([SEND]).write_parquet(tmp_path / "esp.parquet")
    custom_file([PURCHASE]).write_parquet(tmp_path / "custom.parquet")
    with pytest.raises(OutputError, match="holds an input"):
        attribute_files(f"{tmp_path}/esp.parquet", f"{tmp_path}/custom.parquet", tmp_path, Rule(), overwrite=True)
    assert len(list(tmp_path.iterdir())) == 2


def test_the_date_is_that_of_the_timestamp_whatever_the_files_own_event_date_says(tmp_path: Path) -> None:
    esp = esp_file([SEND]).with_columns(event_date=date(2020, 2, 2))
    out, _ = run(tmp_path, esp, custom_file([]), Rule(), limits=Limits(copy_rows=0))
    assert out["event_date"].to_list() == [date(2026, 3, 10)]


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(60) + content[64:])


def test_a_file_that_cannot_be_read_to_its_end_is_left_out_and_named(tmp_path: Path) -> None:
    sends = [SEND, {**SEND, "message_id": "other"}]
    run(tmp_path, esp_file(sends), custom_file([PURCHASE]), Rule())
    damage(tmp_path / "esp/2.parquet")
    (tmp_path / "custom/9.parquet").write_bytes(b"PAR1 not really")
    summary = attribute_files(f"{tmp_path}/esp", f"{tmp_path}/custom", tmp_path / "again", Rule())
    assert (summary.engagement, summary.attributed) == (1, 1)
    assert sorted(summary.unreadable) == [f"{tmp_path}/custom/9.parquet", f"{tmp_path}/esp/2.parquet"]
    assert set(read_out(tmp_path / "again", summary)["message_id"]) == {"m"}


def test_a_failure_leaves_the_previous_output_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(tmp_path, esp_file([SEND]), custom_file([PURCHASE]), Rule())
    before = sorted(tmp_path.rglob("*"))
    for path in (tmp_path / "esp").glob("*.parquet"):
        damage(path)
    with pytest.raises(InputError, match=r"esp/2\.parquet cannot be read"):
        attribute_files(f"{tmp_path}/esp", f"{tmp_path}/custom", out, Rule(), overwrite=True)
    assert sorted(tmp_path.rglob("*")) == before
