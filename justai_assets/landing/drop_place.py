"""Where a customer's warehouse drops its files: a bucket and a prefix of the org's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from justai_assets.contract.errors import StorageError
from justai_assets.landing.landing_paths import door_prefix
from justai_assets.storage import Root

DOCUMENTED_BUCKET: Final = "justwords-metrics-ingest"
"""The bucket of the product documentation; used when the landing root is not on S3 and no other is named."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class DropPlace:
    """A bucket and a folder in it.

    Attributes:
        bucket: its name.
        folder: key prefix without slashes at its ends, for example `redshift/acme`.

    Whatever is printed takes `prefix`, which ends in a slash: the bare key prefix `redshift/acme` is also that of
    `redshift/acme-eu`.
    """

    bucket: str
    folder: str

    @classmethod
    def of(cls, landing: str, door: str, slug: str, *, bucket: str | None = None) -> DropPlace:
        """The place of one door of one org.

        Args:
            landing: the landing root (JUSTAI_LANDING); its bucket and prefix are taken when it is on S3.
            door: `redshift` or `databricks`.
            slug: the org.
            bucket: this bucket instead, without a prefix.

        Raises:
            StorageError: a bucket name that is none.
        """
        base = ""
        if bucket is None:
            root = Root.parse(landing)
            bucket = DOCUMENTED_BUCKET
            if not root.is_local:
                bucket, _, base = root.url.removeprefix("s3://").partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise StorageError(f"{bucket!r} is not a bucket name", mend="give the name alone, without s3://")
        return cls(bucket, f"{base}/{door_prefix(door, slug)}".strip("/"))

    @property
    def prefix(self) -> str:
        """The key prefix, with its slash."""
        return f"{self.folder}/"

    @property
    def url(self) -> str:
        """`s3://bucket/redshift/acme/`."""
        return f"s3://{self.bucket}/{self.prefix}"
