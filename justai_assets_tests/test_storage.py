from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from justai_assets.contract.errors import StorageError, TransientStorageError
from justai_assets.contract.tables import UNIFIED_EVENTS
from justai_assets.lake.store import Lake
from justai_assets.storage import Root, storage_errors


@pytest.fixture(params=["disk", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Root:
    if request.param == "disk":
        return Root.parse(str(tmp_path / "a root#1%20"))
    return Root.parse(f"s3://{request.getfixturevalue('bucket')}/some/prefix")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("s3a://bucket/a", "s3://bucket/a"),
        ("s3://bucket", "s3://bucket"),
        ("file:///var/data", "file:///var/data"),
        ("file://localhost/var/data", "file:///var/data"),
        ("file:///var/with%20space", "file:///var/with space"),
        ("/var/data/../lake", "file:///var/lake"),
    ],
)
def test_a_root_is_a_path_a_file_url_or_an_s3_url(text: str, url: str) -> None:
    assert Root.parse(text).url == url


def test_a_relative_path_starts_at_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Root.parse("data/lake").local() == tmp_path.resolve() / "data" / "lake"


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Root.parse("~/lake").local() == tmp_path.resolve() / "lake"


@pytest.mark.parametrize(
    "text", ["ftp://host/x", "s3://", "file://", "file://host/share", "http://bucket/x", "gs://bucket"]
)
def test_anything_else_is_refused_with_its_mend(text: str) -> None:
    with pytest.raises(StorageError, match=r"not a usable root.*s3://bucket/prefix"):
        Root.parse(text)


@pytest.mark.parametrize(
    "text", ["s3://AKIA123:hunter2@bucket/x", "s3://hunter2@bucket/x", "s3://bucket/x?key=hunter2"]
)
def test_credentials_in_a_url_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(StorageError, match=r"AWS variables") as caught:
        Root.parse(text)
    assert "hunter2" not in str(caught.value)


def test_no_credential_is_part_of_a_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    root = Root.parse("s3://bucket/x")
    assert root.options["aws_secret_access_key"] == "hunter2"
    assert "hunter2" not in repr(root) + root.uri("k")


def test_the_s3_endpoint_wins_over_the_general_one_and_plain_http_is_allowed_only_when_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://general.example")
    assert Root.parse("s3://b").options["aws_endpoint_url"] == "https://general.example"
    assert "aws_allow_http" not in Root.parse("s3://b").options
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://s3.example")
    assert Root.parse("s3://b").options["aws_endpoint_url"] == "http://s3.example"
    assert Root.parse("s3://b").options["aws_allow_http"] == "true"
    assert Root.parse("/tmp/x").options == {}


def test_what_is_written_is_read_listed_and_deleted(root: Root) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    root.write("org/event_date=2026-01-05/a b%40#.txt", b"one")
    root.write("org/top.txt", b"three")
    listed = {found.key: found for found in root.list("org")}
    assert set(listed) == {"org/event_date=2026-01-05/a b%40#.txt", "org/top.txt"}
    found = listed["org/event_date=2026-01-05/a b%40#.txt"]
    assert (found.name, found.size) == ("a b%40#.txt", 3)
    assert found.etag
    assert found.modified >= before
    assert root.read(found.key) == b"one"
    assert [flat.key for flat in root.list_flat("org")] == ["org/top.txt"]
    root.delete(found.key, "org/never-was-there.txt")
    assert [left.key for left in root.list("org")] == ["org/top.txt"]


def test_a_prefix_is_whole_path_parts(root: Root) -> None:
    for slug in ("acme", "acme-eu", "acme2"):
        root.write(f"redshift/{slug}/x.parquet", b"x")
    root.write("redshift/acme.parquet", b"x")
    assert [found.key for found in root.list("redshift/acme")] == ["redshift/acme/x.parquet"]
    assert [found.key for found in root.list_flat("redshift/acme")] == ["redshift/acme/x.parquet"]


def test_the_folders_of_a_prefix_are_listed_without_what_lies_in_them(root: Root) -> None:
    for key in ("a/b=2/x", "a/b=1/c/x", "a/odd b%40#/x", "a/flat", "ab/c/x"):
        root.write(key, b"x")
    assert root.list_folders("a") == ["a/b=1", "a/b=2", "a/odd b%40#"]
    assert [found.key for folder in root.list_folders("a") for found in root.list(folder)] == [
        "a/b=1/c/x",
        "a/b=2/x",
        "a/odd b%40#/x",
    ]


def test_nothing_is_listed_where_nothing_is(root: Root) -> None:
    assert list(root.list("nobody")) == []
    assert root.list_folders("nobody") == []
    assert root.list_flat("nobody") == []


def test_new_content_under_the_same_key_has_another_etag(root: Root) -> None:
    root.write("k/x", b"one")
    (first,) = root.list("k")
    root.write("k/x", b"two")
    (second,) = root.list("k")
    assert first.etag != second.etag


def test_objects_are_readable_as_local_files_in_the_order_asked_for(root: Root) -> None:
    keys = ["d/event_date=2026-01-05/x.txt", "d/event_date=2026-01-06/x.txt"]
    for key in keys:
        root.write(key, key.encode())
    with root.on_disk(list(reversed(keys))) as paths:
        assert [path.read_bytes().decode() for path in paths] == list(reversed(keys))
        assert len(set(paths)) == 2
    assert root.is_local or not any(path.exists() for path in paths)


def test_a_copy_of_a_file_is_written_from_its_path(root: Root, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 100_000)
    root.write("copied", source)
    assert root.read("copied") == source.read_bytes()


def test_an_absent_object_is_a_file_not_found(root: Root) -> None:
    with pytest.raises(FileNotFoundError):
        root.read("absent")


def test_an_absent_bucket_is_an_error_and_not_an_empty_listing(bucket: str) -> None:
    with pytest.raises((StorageError, FileNotFoundError)):
        list(Root.parse(f"s3://{bucket}-absent/x").list("y"))


def test_denied_access_is_lasting_and_a_broken_connection_is_transient() -> None:
    import obstore

    with pytest.raises(StorageError, match=r"access denied.*permissions") as denied, storage_errors("listing x/"):
        raise obstore.exceptions.PermissionDeniedError("no")
    assert not denied.value.transient
    for error in (obstore.exceptions.GenericError("timeout"), ConnectionResetError("reset"), TimeoutError()):
        with pytest.raises(TransientStorageError, match=r"listing x/ failed"), storage_errors("listing x/"):
            raise error


def test_an_endpoint_that_nobody_listens_on_is_transient(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    root = Root.parse(f"s3://{bucket}")
    with pytest.raises(TransientStorageError) as caught:
        root.read("x")
    assert "testing" not in str(caught.value)


@contextmanager
def refusing(status: int, code: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Root]:
    """A store that answers everything in one way, over real HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>no</Message></Error>'.encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815 - the server's own names

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHUNTER2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    try:
        yield Root.parse("s3://bucket/lake")
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "why"),
    [
        (403, "AccessDenied", "access denied"),
        (403, "InvalidAccessKeyId", "access denied"),
        (401, "Unauthorized", "access denied"),
        (400, "ExpiredToken", "access denied"),
        (301, "PermanentRedirect", "no such bucket in this region"),
        (404, "NoSuchBucket", "no such bucket in this region"),
    ],
)
def test_a_refusal_is_lasting_whatever_is_asked_of_the_store(
    status: int, code: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing(status, code, monkeypatch) as root:
        asked: list[Callable[[], object]] = [
            lambda: list(root.list("acme")),
            lambda: root.list_folders("acme"),
            lambda: root.list_flat("acme"),
            lambda: Lake(root).open("acme", UNIFIED_EVENTS),
        ]
        if status != 404:
            # Of a single object, the client says that it is not there; the caller knows whether that is an error.
            asked += [lambda: root.read("k"), lambda: root.write("k", b"x"), lambda: root.delete("k")]
        for ask in asked:
            with pytest.raises(StorageError, match=why) as caught:
                ask()
            assert not caught.value.transient
            assert caught.value.mend
            assert "hunter2" not in str(caught.value).lower()


def test_a_key_that_looks_like_a_refusal_is_none() -> None:
    with pytest.raises(TransientStorageError), storage_errors("reading x"):
        raise OSError("Error performing GET http://store/403/AccessDenied/x: connection reset")


@pytest.mark.parametrize("text", ["s3:/bucket/lake", "s3:bucket", "s3//bucket", "S3:/bucket", "file:/x", "https:/x/y"])
def test_a_mistyped_url_is_no_local_folder(text: str) -> None:
    with pytest.raises(StorageError, match="not a usable root"):
        Root.parse(text)


@pytest.mark.parametrize("text", ["lake", "./s3", "/data/s3:/x", "a:b/lake", "s3/lake"])
def test_a_path_stays_a_path(text: str) -> None:
    assert Root.parse(text).is_local
