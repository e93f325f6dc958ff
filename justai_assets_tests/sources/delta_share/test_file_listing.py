from __future__ import annotations

import json
from typing import Any

import pytest

from justai_assets.contract.errors import ContractError
from justai_assets.sources.delta_share.file_listing import check_schema
from justai_assets.sources.delta_share.protocol import Answer
from justai_assets.sources.delta_share.share_errors import BadAnswerError, UnsupportedShareError

COLUMNS: dict[str, Any] = {
    "event_name": "string",
    "event_timestamp": "timestamp",
    "event_date": "date",
    "message_id": "string",
    "template_id": "string",
    "campaign_id": "string",
}


def answer(columns: dict[str, Any], *, protocol: dict[str, Any] | None = None, **metadata: Any) -> Answer:
    fields = [{"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in columns.items()]
    schema = json.dumps({"type": "struct", "fields": fields})
    given = {"id": "t1", "schemaString": schema, "partitionColumns": [], **metadata}
    return Answer(1, protocol or {"minReaderVersion": 1}, given)


def test_additive_columns_pass_and_are_named() -> None:
    nested = {"type": "struct", "fields": []}
    schema = check_schema(answer({**COLUMNS, "region": "string", "extra": nested}, partitionColumns=["event_date"]))
    assert (schema.added, schema.by_day, schema.change_feed, schema.table_id) == (
        ("extra", "region"),
        True,
        False,
        "t1",
    )


@pytest.mark.parametrize("key", ["enableChangeDataFeed", "delta.enableChangeDataFeed"])
def test_a_change_feed_is_announced_in_either_spelling(key: str) -> None:
    assert check_schema(answer(COLUMNS, configuration={key: "true"})).change_feed


def test_a_timestamp_without_a_zone_is_utc_by_contract() -> None:
    check_schema(answer({**COLUMNS, "event_timestamp": "timestamp_ntz"}))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({**COLUMNS, "template_id": "long"}, "template_id is long, not string"),
        ({**COLUMNS, "event_timestamp": "string"}, "event_timestamp is string, not timestamp or timestamp_ntz"),
        ({**COLUMNS, "message_id": {"type": "struct", "fields": []}}, "message_id is struct, not string"),
        ({name: kind for name, kind in COLUMNS.items() if name != "campaign_id"}, "campaign_id is missing"),
        (
            {"Event_Date" if name == "event_date" else name: kind for name, kind in COLUMNS.items()},
            "there is Event_Date",
        ),
    ],
)
def test_a_broken_contract_names_the_column_and_keeps_the_mirror(columns: dict[str, Any], said: str) -> None:
    with pytest.raises(ContractError, match=said) as caught:
        check_schema(answer(columns))
    assert "keeps its last content" in caught.value.mend


def test_all_broken_columns_are_named_at_once() -> None:
    with pytest.raises(ContractError) as caught:
        check_schema(answer({"event_name": "integer"}))
    assert all(name in str(caught.value) for name in COLUMNS)


@pytest.mark.parametrize(
    ("protocol", "configuration", "said"),
    [
        ({"minReaderVersion": 3, "readerFeatures": ["deletionVectors", "fancyCodec"]}, {}, "fancyCodec"),
        ({"minReaderVersion": 4}, {}, "reader version 4"),
        ({"minReaderVersion": 2}, {"delta.columnMapping.mode": "name"}, "column mapping"),
    ],
)
def test_a_feature_that_would_be_read_wrong_is_refused(
    protocol: dict[str, Any], configuration: dict[str, str], said: str
) -> None:
    with pytest.raises(UnsupportedShareError, match=said) as caught:
        check_schema(answer(COLUMNS, protocol=protocol, configuration=configuration))
    assert "view" in caught.value.mend


def test_harmless_features_pass() -> None:
    check_schema(
        answer(COLUMNS, protocol={"minReaderVersion": 3, "readerFeatures": ["deletionVectors", "timestampNtz"]})
    )


def test_no_schema_at_all_is_the_servers_fault() -> None:
    with pytest.raises(BadAnswerError, match="schema"):
        check_schema(Answer(1, {"minReaderVersion": 1}, {"id": "t"}))
