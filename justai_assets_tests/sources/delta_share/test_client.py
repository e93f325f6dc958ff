from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from justai_assets.sources.delta_share.client import ShareClient
from justai_assets.sources.delta_share.file_listing import list_files
from justai_assets.sources.delta_share.profile import Profile
from justai_assets.sources.delta_share.protocol import TableName
from justai_assets.sources.delta_share.share_errors import (
    BadAnswerError,
    ProfileError,
    ShareAccessError,
    TableNotOfferedError,
    ThrottledError,
    TransientShareError,
    UnsupportedShareError,
)
from justai_assets.testing.share_server import handler
from justai_assets.testing.share_server.ndjson import Capabilities
from justai_assets.testing.share_server.shared_tables import SharedTable
from justai_assets_tests.sources.delta_share.shared import D1, NAME, QUICK, TABLE, Mirrored, events, write


@pytest.mark.parametrize("kind", ["v1", "bearer_token", "basic", "oauth_client_credentials"])
def test_every_kind_of_profile_is_let_in(mirrored: Mirrored, kind: str) -> None:
    with mirrored.client(kind) as client:
        assert client.version(TABLE) == 2
        assert len(list_files(client, TABLE).files) == 3


def test_an_oauth_token_is_fetched_once_and_again_when_it_is_refused(mirrored: Mirrored) -> None:
    with mirrored.client("oauth_client_credentials") as client:
        client.version(TABLE)
        client.version(TABLE)
        assert mirrored.asked() == ["token", "version", "version"]
        mirrored.server.access.revoke()
        assert client.version(TABLE) == 2
        assert mirrored.asked() == ["version", "token", "version"]
    with mirrored.client("oauth_client_credentials") as client:
        client.version(TABLE)
    assert mirrored.asked() == ["version"], "the token lives as long as the process"


def test_a_wrong_client_secret_is_an_error_of_access(mirrored: Mirrored) -> None:
    with mirrored.client("oauth_client_credentials") as client:
        mirrored.server.access.client_secret = "another"
        with pytest.raises(ShareAccessError, match="check clientId, clientSecret") as caught:
            client.version(TABLE)
    assert not caught.value.transient


def test_a_wrong_token_is_an_error_of_access_that_says_what_to_ask_for(mirrored: Mirrored) -> None:
    with mirrored.client() as client:
        mirrored.server.access.bearer = "another"
        with pytest.raises(ShareAccessError, match="new activation link"):
            client.version(TABLE)


def test_offers_are_read_to_the_last_page(mirrored: Mirrored) -> None:
    mirrored.server.page_size = 1
    for name in ("main.events.unified_v2", "main.other.unified", "second.events.unified"):
        mirrored.server.offer(name, mirrored.source)
    with mirrored.client() as client:
        assert client.offers() == sorted(mirrored.server.names)


def test_files_are_read_to_the_last_page(mirrored: Mirrored) -> None:
    mirrored.server.page_size = 2
    with mirrored.client() as client:
        listing = list_files(client, TABLE)
    assert len({file.id for file in listing.files}) == 3
    assert mirrored.asked() == ["query", "query"]


def test_a_table_that_is_not_offered_lists_what_is(mirrored: Mirrored) -> None:
    mirrored.server.offer("main.events.unified_v2", mirrored.source)
    with (
        mirrored.client() as client,
        pytest.raises(TableNotOfferedError, match=r"main\.events\.gone; it offers main\.events\.unified, .*_v2"),
    ):
        client.version(TableName.parse("main.events.gone"))


def test_a_share_that_offers_nothing_says_so(mirrored: Mirrored) -> None:
    mirrored.server.withdraw(NAME)
    with mirrored.client() as client, pytest.raises(TableNotOfferedError, match="offers nothing"):
        client.version(TABLE)


def test_names_are_the_servers_in_any_case(mirrored: Mirrored) -> None:
    with mirrored.client() as client:
        assert client.version(TableName.parse("Main.Events.UNIFIED")) == 2


@pytest.mark.parametrize("text", ["unified", "a.b", "a.b.c.d", "a..c", ""])
def test_a_table_is_named_by_three_words(text: str) -> None:
    with pytest.raises(ProfileError, match=r"share\.schema\.table"):
        TableName.parse(text)


def test_retry_after_is_waited_for(mirrored: Mirrored) -> None:
    mirrored.server.break_("version", "throttle", times=2, seconds=0.05)
    with mirrored.client() as client:
        assert client.version(TABLE) == 2
    assert mirrored.asked() == ["version"] * 3


def test_a_retry_after_beyond_patience_ends_the_run_at_once(mirrored: Mirrored) -> None:
    mirrored.server.break_("version", "throttle", seconds=3600)
    with mirrored.client() as client, pytest.raises(ThrottledError, match="asking for 3600 s") as caught:
        client.version(TABLE)
    assert caught.value.retry_after == 3600
    assert mirrored.asked() == ["version"]


def test_a_server_that_asks_for_a_page_size_is_given_one(tmp_path: Path, mirrored: Mirrored) -> None:
    for index in range(5):
        write(tmp_path / "many", events(D1, 2, tag=f"f{index}"))
    mirrored.server.offer("main.events.many", SharedTable(tmp_path / "many", with_stats=False))
    with mirrored.client() as client:
        files = list_files(client, TableName.parse("main.events.many")).files
    assert len(files) == 5
    assert all(file.records is None for file in files)


@pytest.mark.parametrize("prefers", ["parquet", "delta"])
def test_a_deletion_vector_is_refused_even_when_the_server_did_not_ask_whether_we_read_it(
    mirrored: Mirrored, prefers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = next(iter(mirrored.source.rglob("*.parquet"))).relative_to(mirrored.source).as_posix()
    vector = {"storageType": "i", "pathOrInlineDv": "x", "sizeInBytes": 1, "cardinality": 1}
    mirrored.server.offer(NAME, SharedTable(mirrored.source, deletion_vectors={path: vector}))
    mirrored.server.prefers = prefers
    with mirrored.client() as client:
        with pytest.raises(UnsupportedShareError, match="newer reader"):
            list_files(client, TABLE)
        monkeypatch.setattr(Capabilities, "choose", lambda *_: "delta")
        with pytest.raises(UnsupportedShareError, match="1 of the share's files carry deletion vectors"):
            list_files(client, TABLE)


def test_a_wrong_endpoint_is_told_from_a_missing_table(mirrored: Mirrored) -> None:
    profile = Profile.parse(mirrored.server.profile().replace("/delta-sharing", "/wrong"))
    with (
        ShareClient(profile, policy=QUICK) as client,
        pytest.raises(ProfileError, match="no list of shares") as caught,
    ):
        client.version(TABLE)
    assert "endpoint" in caught.value.mend


def test_a_share_that_is_not_ours_does_not_hide_what_the_others_offer(
    mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrored.server.offer("hr.secret.people", mirrored.source)
    original = handler.Handler._listing

    def listing(self: handler.Handler, path: str) -> dict[str, Any]:
        if path.startswith("/shares/hr"):
            raise handler.RefusedError(403, "no access to hr")
        return original(self, path)

    monkeypatch.setattr(handler.Handler, "_listing", listing)
    with mirrored.client() as client:
        assert client.offers() == [NAME]


def test_a_page_that_names_itself_as_the_next_is_refused(mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch) -> None:
    original = handler.query_lines

    def forever(*given: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        snapshot, body, *rest = given
        lines, end = original(snapshot, {**body, "pageToken": ""}, *rest)
        return lines, {**end, "nextPageToken": "eyJ2ZXJzaW9uIjogMn0="}

    monkeypatch.setattr(handler, "query_lines", forever)
    with mirrored.client() as client, pytest.raises(BadAnswerError, match="does not end"):
        list_files(client, TABLE)
    assert mirrored.asked() == ["query", "query"]


def test_a_server_in_maintenance_is_given_the_time_it_asks_for(
    mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = handler.Handler._version

    def once(self: handler.Handler, *given: Any) -> None:
        monkeypatch.setattr(handler.Handler, "_version", original)
        self._send_json({"message": "maintenance"}, 503, {"Retry-After": "3600"})

    monkeypatch.setattr(handler.Handler, "_version", once)
    with mirrored.client() as client, pytest.raises(TransientShareError, match="503") as caught:
        client.version(TABLE)
    assert caught.value.retry_after == 3600
