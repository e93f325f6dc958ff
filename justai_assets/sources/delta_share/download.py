"""Shared files on this machine's disk: a few at a time, continued where they stopped, verified, and read as rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock
from types import TracebackType

import httpx
import polars as pl

from justai_assets.contract.foreign_names import safe_key
from justai_assets.landing import parquet
from justai_assets.orgs.extra_columns import Kind
from justai_assets.sources.delta_share.client import ShareClient
from justai_assets.sources.delta_share.file_listing import Listing, list_files
from justai_assets.sources.delta_share.protocol import SharedFile, TableName
from justai_assets.sources.delta_share.share_errors import (
    AddressExpiredError,
    CorruptFileError,
    ShareAccessError,
    ShareMovedError,
    TransientShareError,
    TruncatedAnswerError,
    retry_after,
    throttled,
    told_as_ours,
)
from justai_assets.sources.delta_share.transport import hide_addresses, limited, within
from justai_assets.sources.unified_rows import UNIFIED_KINDS

_REWRITE = "ask the provider to rewrite the file; the mirror keeps its last content"
PARALLEL = 4
MAX_RENEWALS = 3
MAX_FILE_BYTES = 64 << 30
"""Of a file whose size the list does not say."""
MAX_HEAD_BYTES = 16 << 20
"""For what comes besides the file: headers, encodings, and enough of a file that is too large to say so."""
# What object stores answer to an address whose time is over: S3 and GCS 400 or 403, Azure 401 or 403.
_EXPIRED = {400, 401, 403}


class Downloads:
    """Fetches files of one listing into a folder; use it in `with`.

    A file that is already in the folder from an earlier run is not fetched again: a file id always means the same
    bytes. A half of one is continued with a range request.
    """

    def __init__(
        self, client: ShareClient, table: TableName, listing: Listing, folder: Path, *, parallel: int = PARALLEL
    ) -> None:
        self._client = client
        self._table = table
        self._listing = listing
        self._folder = folder
        self._addresses = {file.id: file.url for file in listing.files}
        self._lock = Lock()
        self._stop = Event()
        self._pool = ThreadPoolExecutor(parallel, thread_name_prefix="share-download")
        # No Authorization here: the address is the credential, and the store is not the share's server.
        hide_addresses()
        # No compression either: sizes and ranges are those of the file itself.
        headers = {"User-Agent": "justai-assets", "Accept-Encoding": "identity"}
        self._http = limited(httpx.Client(timeout=client.policy.timeout, headers=headers))

    def __enter__(self) -> Downloads:
        """Itself."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what runs, wait for the threads, close the connections."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._http.close()

    def start(self, files: Iterable[SharedFile]) -> dict[str, Future[Path]]:
        """File id → its verified path, once it is there; its error otherwise."""
        return {file.id: self._pool.submit(self.fetch, file) for file in files}

    def path(self, file: SharedFile) -> Path:
        """Where a file lies when it has arrived whole."""
        return self._folder / f"{local_name(file.id)}.parquet"

    def fetch(self, file: SharedFile) -> Path:
        """The file, from the folder or from the share.

        Raises:
            CorruptFileError: its size, row count or footer is not what the listing said, after every try.
            ShareMovedError: it is not in the share any more.
            ShareAccessError: the store refuses even fresh addresses.
            TransientShareError: after the last try.
        """
        target = self.path(file)
        if target.exists():
            try:
                _verify(file, target)
            except TransientShareError:
                # What a power cut leaves of a renamed file, or somebody else's work.
                target.unlink()
            else:
                return target
        for _ in range(MAX_RENEWALS):
            address = self._addresses[file.id]
            try:
                self._client.policy.retrying(lambda: self._once(file, address, target), self._stop)  # noqa: B023 - called at once
            except AddressExpiredError:
                self._renew(file, address)
            else:
                return target
        raise ShareAccessError(
            "the file store refuses the addresses that the share server gives",
            mend="ask the provider whether its storage credential is still valid",
        )

    def _once(self, file: SharedFile, address: str, target: Path) -> None:
        part = target.with_suffix(".part")
        self._receive(file, address, part)
        try:
            _verify(file, part)
        except CorruptFileError:
            part.unlink(missing_ok=True)
            raise
        part.replace(target)

    def _receive(self, file: SharedFile, address: str, part: Path) -> None:
        have = part.stat().st_size if part.exists() else 0
        if not file.size or have > file.size:
            # A size that the list does not say: only the whole of it, in one go, is known to be whole.
            part.unlink(missing_ok=True)
            have = 0
        if file.size and have == file.size:
            return
        headers = {"Range": f"bytes={have}-"} if have else {}
        most = (file.size or MAX_FILE_BYTES) + MAX_HEAD_BYTES
        with (
            within(self._client.policy.file_seconds, most, self._stop),
            told_as_ours("the file store"),
            self._http.stream("GET", address, headers=headers) as response,
        ):
            self._check(response)
            resumes = response.status_code == httpx.codes.PARTIAL_CONTENT and have > 0
            with part.open("ab" if resumes else "wb") as out:
                for chunk in response.iter_raw():
                    out.write(chunk)
                    if file.size and out.tell() > file.size:
                        break

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
            return
        if status in _EXPIRED:
            raise AddressExpiredError("an address of the file store has expired", mend="a fresh one is asked for")
        if status in {httpx.codes.NOT_FOUND, httpx.codes.GONE}:
            raise ShareMovedError("a listed file is gone from the file store", mend="the share is listed anew")
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise throttled("the file store", response)
        raise TransientShareError(
            f"the file store answered {status}", mend="it is retried", retry_after=retry_after(response)
        )

    def _renew(self, file: SharedFile, dead: str) -> None:
        with self._lock:
            if self._addresses[file.id] != dead:
                return  # another thread has renewed them all
            fresh = list_files(
                self._client, self._table, hints=self._listing.hints, refresh_token=self._listing.refresh_token
            )
            self._addresses |= {one.id: one.url for one in fresh.files}
            if file.id not in {one.id for one in fresh.files}:
                raise ShareMovedError("a listed file has left the share", mend="the share is listed anew")


def local_name(file_id: str) -> str:
    """A file name for a file id, which may hold any character."""
    return hashlib.sha256(file_id.encode()).hexdigest()[:40]


def _verify(file: SharedFile, part: Path) -> None:
    have = part.stat().st_size
    if file.size and have < file.size:
        raise TruncatedAnswerError(
            f"a file stopped after {have} of {file.size} bytes", mend="it is continued where it stopped"
        )
    mend = "ask the provider to check the file (fsck, restore, or rewrite it); the mirror keeps its last content"
    if file.size and have > file.size:
        raise CorruptFileError(
            f"file {safe_key(file.id)} is larger than the {file.size} bytes the share lists", mend=mend
        )
    try:
        rows = parquet.rows_in(part, part.name)
    except parquet.DropFileError:
        raise CorruptFileError(f"file {safe_key(file.id)} of the share is not readable Parquet", mend=mend) from None
    if file.records is not None and rows != file.records:
        raise CorruptFileError(f"file {safe_key(file.id)} has {rows} rows; the share lists {file.records}", mend=mend)


def rows_in(file: SharedFile, path: Path) -> int:
    """The rows of a downloaded file, from its footer."""
    try:
        return parquet.rows_in(path, path.name)
    except parquet.DropFileError:
        raise CorruptFileError(
            f"file {safe_key(file.id)} of the share cannot be read", mend="run it again to download it anew"
        ) from None


def file_rows(
    file: SharedFile, path: Path, target: Path, *, dated: bool = False, extra: Mapping[str, Kind] | None = None
) -> pl.LazyFrame:
    """The contract's columns of a file and the declared ones, typed, with `source_row` and UNDECODABLE.

    A column that the file lacks although the table has it was added after the file was written: it is NULL, as Delta
    reads it. A partition column's value comes from the listing, whatever the file says.

    Args:
        file: the file.
        path: where it lies; removed when it cannot be read to its end, so that the next run downloads it again.
        target: where its decoded columns go; it must outlive the plan.
        dated: whether to give the event_date column too. A date that no calendar of ours holds is NULL.
        extra: the declared columns, name → kind.

    Raises:
        CorruptFileError: the file cannot be read to its end, or a column has a type that cannot be the contract's.
    """
    kinds = {**UNIFIED_KINDS, **(extra or {}), **({"event_date": "date"} if dated else {})}
    read = {name: kind for name, kind in kinds.items() if name not in file.partition}
    try:
        found = parquet.decoded(path, f"file {safe_key(file.id)}", read, target, optional=read)
    except parquet.DropFileError as error:
        if error.code != "unreadable_file":
            raise CorruptFileError(
                f"file {safe_key(file.id)} of the share cannot be read: {error.code} {error.column}",
                mend=_REWRITE,
                rows=error.rows,
                reason=error.code,
                column=error.column,
            ) from None
        path.unlink(missing_ok=True)
        raise CorruptFileError(
            f"file {safe_key(file.id)} of the share cannot be read to its end",
            mend="run it again to download it anew; if it stays, ask the provider to rewrite it; "
            "the mirror keeps its last content",
            rows=error.rows,
        ) from None
    absent = [_constant(file, name, kind) for name, kind in kinds.items() if name not in found.columns]
    return found.scan().with_columns(absent).select(parquet.ROW, *kinds, parquet.UNDECODABLE)


def _constant(file: SharedFile, name: str, kind: str) -> pl.Expr:
    value = pl.lit(file.partition.get(name), pl.String)
    if kind == "date":
        return value.str.to_date("%Y-%m-%d", strict=False).alias(name)
    if kind == "time":
        # Serialised in UTC, as `2026-01-31 08:15:00.123456` or as `2026-01-31T08:15:00.123456Z`.
        plain = value.str.replace("T", " ", literal=True).str.strip_suffix("Z").str.strip_suffix("+00:00")
        naive = plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
        return naive.dt.replace_time_zone("UTC").alias(name)
    if kind == "number":
        return value.cast(pl.Float64, strict=False).alias(name)
    return value.alias(name)


def source_name(table: str, file: SharedFile) -> str:
    """What rejected rows say of where they came from."""
    return safe_key(f"{table}/{file.id}")
