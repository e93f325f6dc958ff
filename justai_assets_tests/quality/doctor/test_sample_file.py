from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from justai_assets.orgs.org_model import Org
from justai_assets.quality.doctor.finding import Finding
from justai_assets.quality.doctor.sample_file import SampleError, examine_sample
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World, esp

NOW = datetime(2026, 1, 10, tzinfo=UTC)
BODY: dict[str, Any] = {"email": "jane@example.com", "eventName": "emailSend",
                        "dataFields": {"createdAt": "2026-01-05 09:00:00 +00:00", "messageId": "m"}}  # fmt: skip


@pytest.fixture
def org(world: World, monkeypatch: pytest.MonkeyPatch) -> Org:
    found = world.add_org(WEBHOOK_ORG)
    monkeypatch.delenv("ACME_SALT")
    return found


def contract(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(one.door, one.level, one.message) for one in findings if one.check == "contract"]


def check(folder: Path, org: Org, content: str | bytes, **how: Any) -> list[Finding]:
    file = folder / "sample"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return examine_sample(org, file, NOW, **how)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(BODY),
        json.dumps(BODY, indent=2),
        json.dumps([BODY]),
        f"{json.dumps(BODY)}\n\n",
        esp("emailSend", "2026-01-05 09:00:00"),
    ],
)
def test_a_body_a_list_a_line_and_an_envelope_are_the_same_sample(tmp_path: Path, org: Org, content: str) -> None:
    found = contract(check(tmp_path, org, content))
    assert found == [("iterable_webhooks", "ok", "2026-01-05: 1 records, 0 refused, 0 delivered again")]


def test_a_broken_line_and_a_bad_time_are_refused_as_the_door_would(tmp_path: Path, org: Org) -> None:
    late = {**BODY, "dataFields": {"createdAt": "yesterday"}}
    text = "\n".join([json.dumps(BODY), '{"eventName": ', json.dumps(late)])
    found = contract(check(tmp_path, org, text))
    assert [(level, message.split(": ", 1)[0]) for _, level, message in found] == [
        ("ok", "2026-01-05"), ("problem", "2026-01-10"),
    ]  # fmt: skip
    assert "bad_timestamp 1" in found[1][2]
    assert "not_json 1" in found[1][2]


def test_a_journey_body_without_its_workflow_in_the_org_file_is_told(tmp_path: Path, org: Org) -> None:
    (found,) = contract(check(tmp_path, org, json.dumps({"email": "a@b.example", "workflowId": "7"})))
    assert (found[0], found[1]) == ("journey_webhooks", "problem")
    assert "unmapped_workflow 1" in found[2]


def test_a_payload_for_a_door_the_org_lacks_names_the_door(tmp_path: Path, org: Org) -> None:
    (found,) = check(tmp_path, org, json.dumps({"id": "1", "kind": "tour.started", "sent_at": "2026-01-05T00:00:00Z"}))
    assert (found.door, found.level, found.mend) == (
        "chameleon_webhooks", "problem", "add sources.chameleon_webhooks to acme.yaml",
    )  # fmt: skip


def custom(**columns: Any) -> pl.DataFrame:
    times = [datetime(2026, 1, day, 12, tzinfo=UTC) for day in (5, 6, 6)]
    base = {"event_timestamp": times, "event_name": ["purchase"] * 3, "user_id_or_email": ["u1", "u2", "u3"]}
    return pl.DataFrame({**base, **columns})


def test_parquet_is_looked_at_day_by_day(tmp_path: Path, org: Org) -> None:
    custom().write_parquet(tmp_path / "a.parquet")
    found = contract(examine_sample(org, tmp_path / "a.parquet", NOW))
    assert [message.split(",")[0] for _, _, message in found] == ["2026-01-05: 1 records", "2026-01-06: 2 records"]
    assert {level for _, level, _ in found} == {"ok"}


def test_parquet_in_a_days_folder_belongs_to_that_day(tmp_path: Path, org: Org) -> None:
    folder = tmp_path / "event_date=2026-01-06"
    folder.mkdir()
    custom().write_parquet(folder / "a.parquet")
    ((_, level, message),) = contract(examine_sample(org, folder / "a.parquet", NOW))
    assert (level, "outside_day 1" in message) == ("problem", True)


def test_a_missing_column_a_wrong_type_and_a_broken_file_are_told(tmp_path: Path, org: Org) -> None:
    custom().drop("user_id_or_email").write_parquet(tmp_path / "a.parquet")
    assert "missing_column" in contract(examine_sample(org, tmp_path / "a.parquet", NOW))[0][2]
    custom(event_timestamp=["a", "b", "c"]).write_parquet(tmp_path / "a.parquet")
    assert "wrong_type" in contract(examine_sample(org, tmp_path / "a.parquet", NOW))[0][2]
    assert "unreadable_file" in contract(check(tmp_path, org, b"PAR1 broken"))[0][2]


def test_a_unified_file_for_an_org_without_a_drop_is_taken_as_one(tmp_path: Path, world: World) -> None:
    org = world.add_org(
        {**WEBHOOK_ORG, "custom": ["journey_webhooks"]},
        sources={name: WEBHOOK_ORG["sources"][name] for name in ("iterable_webhooks", "journey_webhooks")},
    )
    columns = {"event_name": "emailSend", "message_id": "m", "template_id": 501, "campaign_id": None}
    frame = pl.DataFrame([{**columns, "event_timestamp": NOW - timedelta(days=5)}])
    frame.write_parquet(tmp_path / "a.parquet")
    assert [one[:2] for one in contract(examine_sample(org, tmp_path / "a.parquet", NOW))] == [("redshift", "ok")]


@pytest.mark.parametrize("content", ["[1, 2]", "{}", "", "\x00\n", b"\xff\xfe\x00"])
def test_what_is_no_doors_payload_is_refused_with_a_mend(tmp_path: Path, org: Org, content: str | bytes) -> None:
    with pytest.raises(SampleError, match=r"--door|as it is sent"):
        check(tmp_path, org, content)
    with pytest.raises(SampleError, match="not a file"):
        examine_sample(org, tmp_path / "nothing", NOW)


def test_a_file_of_another_kind_than_the_door_takes_is_refused(tmp_path: Path, org: Org) -> None:
    for door in ("redshift", "databricks"):
        with pytest.raises(SampleError, match="is not Parquet"):
            check(tmp_path, org, json.dumps(BODY), door=door)
    custom().write_parquet(tmp_path / "a.parquet")
    with pytest.raises(SampleError, match="brings JSON"):
        examine_sample(org, tmp_path / "a.parquet", NOW, door="iterable_webhooks")
    with pytest.raises(SampleError, match="takes no files"):
        examine_sample(org, tmp_path / "a.parquet", NOW, door="delta_share")


def test_upper_case_columns_are_those_of_the_contract_as_for_the_door(tmp_path: Path, org: Org) -> None:
    custom().rename(str.upper).write_parquet(tmp_path / "a.parquet")
    found = contract(examine_sample(org, tmp_path / "a.parquet", NOW))
    assert [(level, message.split(",")[0]) for _, level, message in found] == [
        ("ok", "2026-01-05: 1 records"), ("ok", "2026-01-06: 2 records"),
    ]  # fmt: skip


def test_the_columns_at_fault_are_named_and_no_quarantine_is(tmp_path: Path, org: Org) -> None:
    file = tmp_path / "a.parquet"
    custom().drop("user_id_or_email", "event_name").write_parquet(file)
    (missing,) = examine_sample(org, file, NOW)
    assert "(missing_column (event_name, user_id_or_email) 3)" in missing.message
    custom(event_name=[["a"], ["b"], ["c"]]).write_parquet(file)
    wrong, *_ = examine_sample(org, file, NOW)
    assert "(wrong_type (event_name) 3)" in wrong.message
    assert wrong.mend.startswith("wrong_type (event_name): ")
    assert "quarantine" not in missing.mend + wrong.mend


def test_one_bad_value_refuses_one_row_of_a_sample_and_a_foreign_column_none(tmp_path: Path, org: Org) -> None:
    file = tmp_path / "a.parquet"
    table = custom().to_arrow()
    times = pa.array([table["event_timestamp"][0].value, 2**63 - 1, table["event_timestamp"][2].value])
    table = table.set_column(0, "event_timestamp", times.cast(pa.timestamp("us", "UTC")))
    table = table.append_column("props", pa.array([b"x" * 12] * 3, pa.binary(12)))
    table = table.append_column("jane@example.com", pa.array(["x"] * 3))
    pq.write_table(table, file)
    found = examine_sample(org, file, NOW)
    assert [one.message.split(" (")[-1] for one in found if one.check == "contract" and one.level != "ok"] == [
        "bad_timestamp 1)"
    ]
    said = " ".join(one.message for one in found if one.check == "columns")
    assert "column 4 (name withheld), column 5 (name withheld)" in said
    assert "jane" not in str(found)


def unified(**columns: Any) -> pl.DataFrame:
    ids = {"message_id": "m", "template_id": "501", "campaign_id": "9001"}
    return pl.DataFrame([{"event_name": "emailSend", "event_timestamp": NOW - timedelta(days=5), **ids, **columns}])


def test_a_file_of_the_other_content_is_recognised(tmp_path: Path, org: Org, world: World) -> None:
    file = tmp_path / "a.parquet"
    unified(email="jane@example.com").write_parquet(file)
    found, columns = examine_sample(org, file, NOW)
    assert found.message == (
        "the file has the columns of unified_events, and acme.yaml says sources.redshift.content: custom_events"
    )
    assert "engagement: redshift" in found.mend
    assert (columns.level, "email" in columns.message) == ("problem", True)
    custom().write_parquet(file)
    other = world.add_org(UNIFIED_ORG)
    (found,) = examine_sample(other, file, NOW)
    assert "says sources.databricks.content: unified_events" in found.message


def test_days_beyond_those_looked_at_are_counted(tmp_path: Path, org: Org) -> None:
    times = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 10)]
    frame = pl.DataFrame({"event_timestamp": times, "event_name": "purchase", "user_id_or_email": "u"})
    frame.write_parquet(tmp_path / "a.parquet")
    (days,) = [one for one in examine_sample(org, tmp_path / "a.parquet", NOW) if one.check == "days"]
    assert (days.level, days.message[:6], "2 more days" in days.message) == ("warning", "7 days", True)
    bodies = [{**BODY, "dataFields": {"createdAt": f"{time:%Y-%m-%d} 09:00:00 +00:00"}} for time in times]
    (days,) = [one for one in check(tmp_path, org, json.dumps(bodies)) if one.check == "days"]
    assert "2 more days" in days.message
    frame.head(7).write_parquet(tmp_path / "a.parquet")
    assert "days" not in {one.check for one in examine_sample(org, tmp_path / "a.parquet", NOW)}


@pytest.mark.parametrize("broken", [{}, {"event_timestamp": [None] * 3}, {"user_id_or_email": None}])
def test_a_column_of_personal_data_is_called_out_whatever_becomes_of_the_records(
    tmp_path: Path, org: Org, broken: dict[str, Any]
) -> None:
    frame = custom(Email="jane@example.com", basket=1).with_columns(**{k: pl.lit(None) for k in broken})
    frame = frame.drop("user_id_or_email") if "user_id_or_email" in broken else frame
    frame.write_parquet(tmp_path / "a.parquet")
    findings = examine_sample(org, tmp_path / "a.parquet", NOW)
    found = {(one.level, one.message.split(";")[0]) for one in findings if one.check == "columns"}
    assert found == {
        ("problem", "personal data by its name: Email"),
        ("warning", "columns beyond the contract are not read: basket"),
    }
