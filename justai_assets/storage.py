"""A root: one URL, and the clients that read and write below it (obstore, polars, delta-rs).

`file:///path`, a bare path, or `s3://bucket/prefix`. S3 credentials, region and endpoint come from the standard AWS
variables; nothing of them is ever part of a URL, a message or metadata.
"""

from __future__ import annotations

import builtins
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, S3Store

from justai_assets.contract.errors import StorageError, TransientStorageError
from justai_assets.contract.foreign_names import safe_key
from justai_assets.scratch import scratch_folder

_AWS_OPTIONS = {
    "aws_endpoint_url": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "aws_access_key_id": ("AWS_ACCESS_KEY_ID",),
    "aws_secret_access_key": ("AWS_SECRET_ACCESS_KEY",),
    "aws_session_token": ("AWS_SESSION_TOKEN",),
    "aws_region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
}


_ROOTS: Final = "write file:///path, a path, or s3://bucket/prefix"
_ALMOST_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/|(?:s3[an]?|file|gs|abfss?|https?|dbfs):|(?:s3[an]?|file)//", re.I)
"""A mistyped URL (`s3:/bucket`, `s3:bucket`, `s3//bucket`), which would otherwise name a local folder."""


@dataclass(frozen=True)
class LandedObject:
    """One object below a root.

    Attributes:
        key: path relative to the root, with forward slashes.
        size: bytes.
        etag: what changes when the content does (S3 ETag; on disk inode, time and size).
        modified: last modification, UTC.
    """

    key: str
    size: int
    etag: str
    modified: datetime

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]


@dataclass(frozen=True)
class Root:
    """A landing or lake root.

    Attributes:
        url: file:// or s3://.
        request_seconds: how long one try of a request to S3 may take.
        retry_seconds: how long after its first try a request is tried again: tries that hang add up.

    Raises:
        StorageError: on construction through `parse`, for what is neither a path, file:// nor s3://, a mistyped URL
            included.
    """

    url: str
    request_seconds: int = 60
    retry_seconds: int = 180

    @classmethod
    def parse(cls, text: str) -> Root:
        """From a URL or a path; a relative path starts at the working directory."""
        if "://" not in text:
            if _ALMOST_URL.match(text):
                raise StorageError(f"{text!r} is not a usable root", mend=_ROOTS)
            return cls(f"file://{Path(text).expanduser().resolve()}")
        parts = urlsplit(text)
        if parts.username or parts.password or parts.query:
            raise StorageError("a root URL carries credentials or a query", mend="use the standard AWS variables")
        if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path:
            return cls(f"file://{Path(unquote(parts.path)).resolve()}")
        if parts.scheme in {"s3", "s3a"} and parts.netloc:
            return cls(f"s3://{parts.netloc}{parts.path.rstrip('/')}")
        raise StorageError(f"{text!r} is not a usable root", mend=_ROOTS)

    @property
    def is_local(self) -> bool:
        """Whether the root is on this machine's disk."""
        return self.url.startswith("file://")

    def local(self, key: str = "") -> Path:
        """The path of a key on a local root."""
        base = Path(self.url.removeprefix("file://"))
        return base / key if key else base

    def uri(self, key: str) -> str:
        """The full address of a key, as delta-rs and polars take it."""
        return str(self.local(key)) if self.is_local else f"{self.url}/{key}"

    def require(self, variable: str, *, mend: str = "") -> None:
        """That the root is there, where that can be told: on disk, where a typo or an unmounted disk reads as empty.

        Args:
            variable: the environment variable that names it, for the mend.
            mend: what to do instead of mounting or making it.

        Raises:
            StorageError: a local root that is no folder.
        """
        if self.is_local and not self.local().is_dir():
            raise StorageError(
                f"there is no folder {self.local()}",
                mend=mend or f"mount or make it, or set {variable} to where it is",
            )

    @cached_property
    def store(self) -> LocalStore | S3Store:
        """The obstore client of this root."""
        if self.is_local:
            self.local().mkdir(parents=True, exist_ok=True)
            return LocalStore(self.local())
        options: dict[str, Any] = {k: v for k, v in self.options.items() if k != "aws_allow_http"}
        bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        return S3Store(
            bucket,
            prefix=prefix or None,
            config=cast(Any, options),
            client_options={"allow_http": "aws_allow_http" in self.options, "timeout": f"{self.request_seconds}s"},
            retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=self.retry_seconds)},
        )

    @property
    def options(self) -> dict[str, str]:
        """Storage options for polars and delta-rs; empty on a local root."""
        if self.is_local:
            return {}
        found: dict[str, str] = {}
        for option, names in _AWS_OPTIONS.items():
            value = next((os.environ[name] for name in names if os.environ.get(name)), None)
            if value:
                found[option] = value
        if found.get("aws_endpoint_url", "").startswith("http://"):
            found["aws_allow_http"] = "true"
        return found

    def list(self, prefix: str, *, after: str | None = None) -> Iterator[LandedObject]:
        """Every object below `prefix/`; nothing when there is none. In the order of keys on S3, in none on disk.

        The prefix is matched as whole path parts: `acme` never lists `acme-eu`.

        Args:
            prefix: without a trailing slash.
            after: only keys that sort after this one (a key, or the beginning of one); S3 then lists no others.
        """
        if self.is_local and not self.local(prefix).is_dir():
            return
        with storage_errors(f"listing {prefix}/"):
            for batch in obstore.list(self.store, prefix=f"{prefix}/", offset=after):
                for meta in batch:
                    found = _landed(meta)
                    if found.key.startswith(f"{prefix}/"):
                        yield found

    def list_flat(self, prefix: str) -> builtins.list[LandedObject]:
        """The objects directly below `prefix/`, not those in its folders."""
        return self.list_level(prefix)[0]

    def list_level(self, prefix: str) -> tuple[builtins.list[LandedObject], builtins.list[str]]:
        """The objects directly below `prefix/`, and the keys of its folders."""
        if self.is_local:
            names = _plain_folders(self.local(prefix))
            if names is not None:
                return [], [f"{prefix}/{name}" for name in names]
        with storage_errors(f"listing {prefix}/"):
            found = obstore.list_with_delimiter(self.store, f"{prefix}/")
        return [_landed(meta) for meta in found["objects"]], [str(key).rstrip("/") for key in found["common_prefixes"]]

    def list_folders(self, prefix: str) -> builtins.list[str]:
        """The keys of the folders directly below `prefix/`, sorted; one request per thousand of them on S3."""
        return sorted(self.list_level(prefix)[1])

    def read(self, key: str) -> bytes:
        """The whole content of a small object."""
        with storage_errors(f"reading {safe_key(key)}"):
            return bytes(obstore.get(self.store, key).bytes())

    def write(self, key: str, content: bytes | Path) -> None:
        """Write an object whole; a reader sees the old one or the new one, never a part."""
        with storage_errors(f"writing {safe_key(key)}"):
            obstore.put(self.store, key, content)

    def delete(self, *keys: str) -> None:
        """Delete objects; one that is already gone is no error."""
        for key in keys:
            try:
                with storage_errors(f"deleting {safe_key(key)}"):
                    obstore.delete(self.store, key)
            except FileNotFoundError:
                continue

    @contextmanager
    def on_disk(self, keys: Sequence[str]) -> Iterator[builtins.list[Path]]:
        """The objects as local files: in place on a local root, as temporary copies otherwise.

        Several passes over a record set then read the same bytes, whatever happens to the object meanwhile.
        """
        if self.is_local:
            yield [self.local(key) for key in keys]
            return
        with scratch_folder("landing") as folder:
            paths = []
            for index, key in enumerate(keys):
                path = folder / f"{index:06d}-{key.rpartition('/')[2][-80:]}"
                with storage_errors(f"reading {safe_key(key)}"), path.open("wb") as file:
                    for chunk in obstore.get(self.store, key).stream(min_chunk_size=8 << 20):
                        file.write(chunk)
                paths.append(path)
            yield paths


_PLAIN = re.compile(r"[A-Za-z0-9_=.-]*[A-Za-z0-9_=-][A-Za-z0-9_=.-]*")
"""A name that is written in a key as it is."""


def _plain_folders(folder: Path) -> list[str] | None:
    """Names in a folder that holds folders alone, of plain names; none where it is absent; None where it is not so.

    A door's prefix is such a folder of hundreds of days, and obstore takes ten times as long to say so.
    """
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name if entry.is_dir(follow_symlinks=False) and _PLAIN.fullmatch(entry.name) else None
                for entry in entries
            ]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return None if None in names else [name for name in names if name is not None]


def _landed(meta: Any) -> LandedObject:
    return LandedObject(str(meta["path"]), int(meta["size"]), str(meta.get("e_tag") or ""), meta["last_modified"])


DENIED: Final = "check the role's permissions on the prefix, and the AWS variables"
_DENIED = re.compile(
    r"\b40[13] (?:Forbidden|Unauthorized)\b|\blacked (?:the necessary privileges|valid authentication)"
    r"|<Code>(?:AccessDenied|AllAccessDisabled|InvalidAccessKeyId|SignatureDoesNotMatch|RequestTimeTooSkewed|ExpiredToken"
    r"|InvalidToken|AccountProblem|KMS\.\w+)</Code>|\(os error 13\)"
)
_MISPLACED = re.compile(
    r"<Code>(?:NoSuchBucket|PermanentRedirect|InvalidBucketName|AuthorizationHeaderMalformed)</Code>"
)
_REGION = "incorrectly configured region"


def lasting_reason(error: BaseException) -> tuple[str, str] | None:
    """Why a storage client's error will not pass, and what to do about it; None when it may.

    The clients tell by type what single objects are refused for, but not listings, and delta-rs nothing at all: there,
    only the text says which answer the store gave. Nothing of the text goes further, it quotes addresses and keys.

    >>> lasting_reason(OSError("status code: 403 Forbidden: <Code>AccessDenied</Code>"))[0]
    'access denied'
    """
    text = str(error)
    is_refused = isinstance(
        error, obstore.exceptions.PermissionDeniedError | obstore.exceptions.UnauthenticatedError | PermissionError
    )
    if is_refused or _DENIED.search(text):
        return "access denied", DENIED
    if _MISPLACED.search(text) or _REGION in text:
        return "there is no such bucket in this region", "check the bucket's name, AWS_REGION and the endpoint"
    return None


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turn a client's exception into ours: transient unless it says that the object or the permission is missing."""
    try:
        yield
    except (FileNotFoundError, StorageError):
        raise
    except (obstore.exceptions.BaseError, OSError) as error:
        if lasting := lasting_reason(error):
            why, mend = lasting
            raise StorageError(f"{doing}: {why} ({type(error).__name__})", mend=mend) from None
        raise TransientStorageError(f"{doing} failed: {type(error).__name__}", mend="it is retried") from error
