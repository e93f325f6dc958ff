from __future__ import annotations

import json
from datetime import date

import pytest

from justai_assets.contract.errors import JustAIError
from justai_assets.sources.delta_share.protocol import Answer, read_answer
from justai_assets.sources.delta_share.share_errors import (
    BadAnswerError,
    ShareAccessError,
    ThrottledError,
    TransientShareError,
    TruncatedAnswerError,
)

PROTOCOL = {"protocol": {"minReaderVersion": 1}}
METADATA = {"metaData": {"id": "t", "schemaString": "{}", "partitionColumns": []}}
STATS = json.dumps(
    {
        "numRecords": 3,
        "minValues": {"event_date": "2026-01-01"},
        "maxValues": {"event_date": "2026-01-02"},
        "nullCount": {"event_date": 0},
    }
)
FILE = {"file": {"url": "https://s/1?sig", "id": "1", "partitionValues": {"region": ""}, "size": 9, "stats": STATS}}
END = {"endStreamAction": {"nextPageToken": "next", "refreshToken": "fresh"}}


def read(*lines: object, announces_end: bool = True, secrets: tuple[str, ...] = ()) -> Answer:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return read_answer(7, texts, announces_end=announces_end, secrets=secrets)


def test_a_whole_answer_is_read() -> None:
    answer = read(PROTOCOL, METADATA, FILE, {"somethingNew": {}}, "", END)
    (file,) = answer.files
    assert (answer.version, answer.next_page, answer.refresh_token) == (7, "next", "fresh")
    assert (file.id, file.size, file.records, file.first, file.last) == ("1", 9, 3, date(2026, 1, 1), date(2026, 1, 2))
    assert file.partition == {"region": None}
    assert file.has_undated is False


def test_the_delta_format_says_the_same_in_its_own_words() -> None:
    add = {"path": "https://s/1?sig", "partitionValues": {"event_date": "2026-01-01"}, "size": 9, "stats": STATS}
    vector = {"deletionVector": {"storageType": "u", "pathOrInlineDv": "x", "cardinality": 1}}
    answer = read(
        {"protocol": {"deltaProtocol": {"minReaderVersion": 3, "readerFeatures": ["deletionVectors"]}}},
        {"metaData": {"deltaMetadata": METADATA["metaData"]}},
        {"file": {"id": "1", "deltaSingleAction": {"add": add}}},
        {"file": {"id": "2", "deletionVectorFileId": "dv", "deltaSingleAction": {"add": {**add, **vector}}}},
        END,
    )
    assert answer.is_delta
    assert answer.protocol["readerFeatures"] == ["deletionVectors"]
    assert [(file.id, file.size, file.deletion_vector) for file in answer.files] == [("1", 9, ""), ("2", 9, "dv")]


@pytest.mark.parametrize("kind", ["add", "remove", "cdf"])
def test_a_change_feed_names_files_by_the_kind_of_change(kind: str) -> None:
    assert [file.id for file in read(PROTOCOL, METADATA, {kind: FILE["file"]}, END).files] == ["1"]


@pytest.mark.parametrize(
    ("lines", "announces_end", "error", "said"),
    [
        ((PROTOCOL, METADATA, FILE), True, TruncatedAnswerError, "stopped before its end"),
        ((PROTOCOL, METADATA, FILE), False, BadAnswerError, "upgrade the Delta Sharing server"),
        ((PROTOCOL, METADATA, '{"file": {"ur', END), True, TruncatedAnswerError, "cut"),
        ((PROTOCOL, METADATA, "[]", END), True, TruncatedAnswerError, "cut or is not JSON"),
        ((PROTOCOL, METADATA, {"file": {"id": "1"}}, END), True, BadAnswerError, "lacks what the protocol requires"),
        ((PROTOCOL, METADATA, END, FILE), True, BadAnswerError, "after the endStreamAction"),
        ((PROTOCOL, END), True, BadAnswerError, "metaData"),
    ],
)
def test_half_an_answer_is_never_taken_for_a_whole_one(
    lines: tuple[object, ...], announces_end: bool, error: type[JustAIError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        read(*lines, announces_end=announces_end)
    assert caught.value.mend


@pytest.mark.parametrize(
    ("status", "error", "transient"),
    [
        (500, TransientShareError, True),
        (None, TransientShareError, True),
        (429, ThrottledError, True),
        (403, ShareAccessError, False),
        (400, BadAnswerError, False),
    ],
)
def test_an_error_after_200_is_an_error(status: int | None, error: type[JustAIError], transient: bool) -> None:
    said = "cannot sign https://s/1?X-Amz-Signature=abc for hush-hush"
    end = {"endStreamAction": {"errorMessage": said, "httpStatusErrorCode": status}}
    with pytest.raises(error) as caught:
        read(PROTOCOL, METADATA, FILE, end, secrets=("hush-hush",))
    assert caught.value.transient is transient
    assert "cannot sign <address> for ***" in str(caught.value)
