"""The official connector reads the server: that is what makes a test against the server worth something."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from deltalake import write_deltalake
from polars.testing import assert_frame_equal

from justai_assets.testing.share_server import ShareServer

NAME = "main.events.unified"


def rows(day: int, count: int) -> pl.DataFrame:
    moment = datetime(2026, 1, day, 8, tzinfo=UTC)
    return pl.DataFrame({"event_timestamp": [moment] * count, "event_date": [moment.date()] * count, "n": range(count)})


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three versions: two days, one day appended, one replaced."""
    path = tmp_path / "table"
    feed = {"delta.enableChangeDataFeed": "true"}
    write_deltalake(path, pl.concat([rows(1, 3), rows(2, 4)]), partition_by=["event_date"], configuration=feed)
    write_deltalake(path, rows(3, 5), mode="append")
    write_deltalake(path, rows(2, 1), mode="overwrite", predicate="event_date = '2026-01-02'")
    return path


@pytest.mark.parametrize("kind", ["v1", "basic", "oauth_client_credentials"])
@pytest.mark.parametrize("in_delta_format", [None, True])
def test_it_loads_a_table_in_both_formats(table: Path, tmp_path: Path, kind: str, in_delta_format: bool | None) -> None:
    import delta_sharing

    with ShareServer({NAME: table}, page_size=None) as server:
        profile = tmp_path / "profile.share"
        profile.write_text(server.profile(kind))
        client = delta_sharing.SharingClient(str(profile))
        assert [f"{one.share}.{one.schema}.{one.name}" for one in client.list_all_tables()] == [NAME]
        loaded = delta_sharing.load_as_pandas(f"{profile}#{NAME}", use_delta_format=in_delta_format)
        assert delta_sharing.get_table_version(f"{profile}#{NAME}") == 2
    found = pl.from_pandas(loaded).with_columns(pl.col("event_date").cast(pl.Date)).select("event_date", "n")
    source = pl.read_delta(str(table)).select("event_date", "n")
    assert_frame_equal(found, source, check_row_order=False)


def test_it_reads_the_change_feed(table: Path, tmp_path: Path) -> None:
    import delta_sharing

    with ShareServer({NAME: table}) as server:
        profile = tmp_path / "profile.share"
        profile.write_text(server.profile())
        changes = delta_sharing.load_table_changes_as_pandas(f"{profile}#{NAME}", starting_version=1)
    counted = changes.groupby(["_commit_version", "_change_type"]).size().to_dict()
    assert counted == {(1, "insert"): 5, (2, "delete"): 4, (2, "insert"): 1}


def test_it_is_refused_with_a_wrong_token(table: Path, tmp_path: Path) -> None:
    import delta_sharing
    from requests.exceptions import HTTPError

    with ShareServer({NAME: table}) as server:
        profile = tmp_path / "profile.share"
        profile.write_text(json.dumps({**json.loads(server.profile()), "bearerToken": "another"}))
        with pytest.raises(HTTPError, match="401"):
            delta_sharing.SharingClient(str(profile)).list_all_tables()


def test_it_is_usable_by_hand(table: Path, tmp_path: Path) -> None:
    import delta_sharing

    profile = tmp_path / "acme.share"
    command = [sys.executable, "-m", "justai_assets.testing.share_server", "--table", f"{NAME}={table}", "--port", "0"]
    with subprocess.Popen([*command, "--profile-out", str(profile)], stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        try:
            said = served.stdout.readline()
            assert said.startswith(f"serving {NAME} at http://127.0.0.1:")
            assert delta_sharing.get_table_version(f"{profile}#{NAME}") == 2
            assert profile.stat().st_mode & 0o077 == 0
        finally:
            served.terminate()


def test_a_path_that_is_no_delta_table_is_wrong_use(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "justai_assets.testing.share_server", "--table", f"{NAME}={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is a Delta table" in done.stderr


def test_a_client_that_asks_for_no_pages_gets_all_files_at_once(table: Path, tmp_path: Path) -> None:
    import delta_sharing

    with ShareServer({NAME: table}, page_size=1) as server:
        profile = tmp_path / "profile.share"
        profile.write_text(server.profile())
        assert len(delta_sharing.load_as_pandas(f"{profile}#{NAME}")) == pl.read_delta(str(table)).height


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "query", b"not json"), ("POST", "query", b"[]"), ("POST", "query", b'{"pageToken": "x"}'),
     ("GET", "changes?startingVersion=x", b"")],
)  # fmt: skip
def test_nonsense_is_refused_as_a_bad_request(table: Path, method: str, path: str, body: bytes) -> None:
    with ShareServer({NAME: table}) as server:
        address = f"{server.url}{server.prefix}/shares/main/schemas/events/tables/unified/{path}"
        headers = {"Authorization": f"Bearer {server.access.bearer}"}
        answer = httpx.request(method, address, content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["message"]


def by_hand(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "justai_assets.testing.share_server", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_port_that_is_taken_is_one_clear_line(table: Path) -> None:
    with ShareServer({NAME: table}) as server:
        done = by_hand("--table", f"{NAME}={table}", "--port", server.url.rpartition(":")[2])
    assert done.returncode == 1
    assert "cannot be listened on" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--break", "moon:status"], "WHERE is one of"), (["--break", "query:status:status=x"], "--break"),
     (["--break", "query:status:colour=red"], "NAME is one of"), (["--view", "a.b.c"], "no --table of that name")],
)  # fmt: skip
def test_a_fault_that_does_not_exist_is_wrong_use(table: Path, arguments: list[str], said: str) -> None:
    done = by_hand("--table", f"{NAME}={table}", *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_faults_are_set_by_hand(table: Path, tmp_path: Path) -> None:
    profile = tmp_path / "acme.share"
    command = [sys.executable, "-m", "justai_assets.testing.share_server", "--table", f"{NAME}={table}", "--port", "0"]
    command += ["--profile-out", str(profile), "--view", NAME, "--break", "version:status:status=418:times=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        try:
            served.stdout.readline()
            given = json.loads(profile.read_text())
            address = f"{given['endpoint']}/shares/main/schemas/events/tables/unified/version"
            headers = {"Authorization": f"Bearer {given['bearerToken']}"}
            assert [httpx.get(address, headers=headers).status_code for _ in range(2)] == [418, 200]
        finally:
            served.terminate()


def listing_client(server: ShareServer, *, retries: int = 0) -> Any:
    from delta_sharing.protocol import DeltaSharingProfile
    from delta_sharing.rest_client import DataSharingRestClient

    return DataSharingRestClient(DeltaSharingProfile.from_json(server.profile()), num_retries=retries)


def shared_table() -> Any:
    from delta_sharing.protocol import Table as Shared

    return Shared("unified", "main", "events")


# The reasons why our client asks by itself. One that fails says that the connector has learned it, and may do that job.


def test_its_lists_do_not_tell_a_cut_answer_from_a_whole_one(table: Path) -> None:
    from delta_sharing.protocol import CdfOptions

    with ShareServer({NAME: table}) as server:
        client = listing_client(server)
        whole = len(client.list_files_in_table(shared_table()).add_files)
        changes = len(client.list_table_changes(shared_table(), CdfOptions(starting_version=0)).actions)
        server.break_("query", "truncate")
        server.break_("changes", "truncate")
        assert len(client.list_files_in_table(shared_table()).add_files) < whole
        assert len(client.list_table_changes(shared_table(), CdfOptions(starting_version=0)).actions) < changes


def test_its_list_cannot_be_asked_to_mark_its_end(table: Path) -> None:
    with ShareServer({NAME: table}) as server:
        client = listing_client(server)
        client._session.headers["delta-sharing-capabilities"] = "responseformat=parquet;includeendstreamaction=true"
        with pytest.raises(KeyError, match="file"):
            client.list_files_in_table(shared_table())


def test_its_errors_repeat_the_token_that_a_server_repeats(table: Path) -> None:
    from requests.exceptions import HTTPError

    with ShareServer({NAME: table}) as server:
        server.break_("version", "status", status=400, message="bad {authorization}")
        with pytest.raises(HTTPError, match=server.access.bearer):
            listing_client(server).query_table_version(shared_table())


def test_it_asks_again_before_the_time_that_a_server_asks_for(table: Path) -> None:
    with ShareServer({NAME: table}) as server:
        server.break_("query", "throttle", seconds=600, times=1)
        assert listing_client(server, retries=1).list_files_in_table(shared_table()).add_files


def test_it_sets_no_time_by_which_a_server_must_answer(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from requests.adapters import HTTPAdapter

    asked: list[object] = []
    send = HTTPAdapter.send

    def noting(self: HTTPAdapter, *args: Any, **how: Any) -> Any:
        asked.append(how["timeout"])
        return send(self, *args, **how)

    monkeypatch.setattr(HTTPAdapter, "send", noting)
    with ShareServer({NAME: table}) as server:
        from delta_sharing.protocol import DeltaSharingProfile
        from delta_sharing.rest_client import DataSharingRestClient

        profile = DeltaSharingProfile.from_json(server.profile("oauth_client_credentials"))
        DataSharingRestClient(profile).list_files_in_table(shared_table())
    assert asked == [None, None], "of the OAuth token, and of the list"
