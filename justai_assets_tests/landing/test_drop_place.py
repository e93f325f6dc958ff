from __future__ import annotations

import pytest

from justai_assets.contract.errors import StorageError
from justai_assets.landing.drop_place import DOCUMENTED_BUCKET, DropPlace


@pytest.mark.parametrize(
    ("landing", "bucket", "url"),
    [
        ("s3://drops", None, "s3://drops/redshift/acme/"),
        ("s3://drops/landing/", None, "s3://drops/landing/redshift/acme/"),
        ("/var/landing", None, f"s3://{DOCUMENTED_BUCKET}/redshift/acme/"),
        ("s3://drops/landing", "other", "s3://other/redshift/acme/"),
    ],
)
def test_the_place_is_the_orgs_folder_and_ends_in_a_slash(landing: str, bucket: str | None, url: str) -> None:
    place = DropPlace.of(landing, "redshift", "acme", bucket=bucket)
    assert place.url == url
    assert place.url == f"s3://{place.bucket}/{place.prefix}"
    assert not DropPlace.of(landing, "redshift", "acme-eu", bucket=bucket).prefix.startswith(place.prefix)


@pytest.mark.parametrize("bucket", ["s3://drops", "Drops", "a", "a/b", "a'b", ""])
def test_a_bucket_that_is_no_name_is_refused(bucket: str) -> None:
    with pytest.raises(StorageError, match="bucket name"):
        DropPlace.of("/var/landing", "redshift", "acme", bucket=bucket)
