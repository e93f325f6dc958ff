"""IAM policies of a drop: the role may write below its own prefix, and do nothing else.

Every prefix ends in a slash: a policy on `redshift/acme*` would also be one on `redshift/acme-eu/`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from justai_assets.connect.customer import PLACEHOLDER_ACCOUNT, ConnectError
from justai_assets.landing.drop_place import DropPlace

Policy = dict[str, Any]

VERSION: Final = "2012-10-17"
UNITY_CATALOG_ROLE: Final = "arn:aws:iam::414351767826:role/unity-catalog-prod-UCMasterRole-14S5ZJVKOTYTL"
"""The role by which Unity Catalog assumes a customer's, on AWS outside GovCloud (Databricks documentation)."""

_ACCOUNT = re.compile(r"\d{12}")
_ROLE_NAME = re.compile(r"[\w+=,.@-]{1,64}")


@dataclass(frozen=True)
class Role:
    """The customer's role.

    Attributes:
        account: AWS account id, 12 digits, or the placeholder.
        name: its name.
    """

    account: str
    name: str

    def __post_init__(self) -> None:
        if self.account != PLACEHOLDER_ACCOUNT and not _ACCOUNT.fullmatch(self.account):
            raise ConnectError(f"{self.account!r} is not an AWS account id", mend="give its 12 digits")
        if not _ROLE_NAME.fullmatch(self.name):
            raise ConnectError(f"{self.name!r} is not a role name", mend="use letters, digits and + = , . @ -")

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:iam::{self.account}:role/{self.name}"


def drop_permissions(place: DropPlace, *, may_delete: bool = True, may_read: bool = False) -> list[Policy]:
    """The statements that both the role's policy and the bucket's give, without a principal.

    Args:
        place: bucket and prefix.
        may_delete: replace days without leaving stale parts (UNLOAD … CLEANPATH, dynamic overwrite).
        may_read: read what it wrote (Spark over an external table).

    Listing is limited to the prefix by condition: s3:ListBucket is a permission on the bucket, and without the
    condition every other org's keys could be read. s3:ListBucketMultipartUploads is left out, because no condition
    limits it to a prefix: unfinished uploads are the business of a lifecycle rule of ours.

    Each Sid names source and org: the statements of several are merged into one bucket policy, where a Sid stands once.
    """
    writes = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"]
    if may_delete:
        writes.append("s3:DeleteObject")
    if may_read:
        writes.append("s3:GetObject")
    bucket = f"arn:aws:s3:::{place.bucket}"
    whose = _whose(place)
    return [
        {
            "Sid": f"WriteBelowPrefix{whose}",
            "Effect": "Allow",
            "Action": sorted(writes),
            "Resource": f"{bucket}/{place.prefix}*",
        },
        {
            "Sid": f"ListPrefix{whose}",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": bucket,
            "Condition": {"StringLike": {"s3:prefix": f"{place.prefix}*"}},
        },
        {"Sid": f"FindBucket{whose}", "Effect": "Allow", "Action": "s3:GetBucketLocation", "Resource": bucket},
    ]


def _whose(place: DropPlace) -> str:
    """Source and org as a Sid may hold them: letters and digits alone. A hyphen becomes X, which no slug has."""
    source, slug = place.folder.split("/")[-2:]
    return f"{source.capitalize()}{slug.replace('-', 'X')}"


def role_policy(
    place: DropPlace, *, may_delete: bool = True, may_read: bool = False, assumes: Role | None = None
) -> Policy:
    """The permissions policy of the customer's role; `assumes` itself, where Unity Catalog demands it."""
    statements = drop_permissions(place, may_delete=may_delete, may_read=may_read)
    if assumes is not None:
        itself = {"Sid": "AssumeItself", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": assumes.arn}
        statements.append(itself)
    return {"Version": VERSION, "Statement": statements}


def bucket_policy(place: DropPlace, role: Role, *, may_delete: bool = True, may_read: bool = False) -> Policy:
    """What we add to the bucket's policy for one role: the same permissions, and nothing without TLS, for anybody."""
    allowed = [
        {"Principal": {"AWS": role.arn}, **statement}
        for statement in drop_permissions(place, may_delete=may_delete, may_read=may_read)
    ]
    bucket = f"arn:aws:s3:::{place.bucket}"
    refused = {
        "Sid": f"OnlyOverTls{_whose(place)}",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket, f"{bucket}/{place.prefix}*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": VERSION, "Statement": [*allowed, refused]}


def redshift_trust(role: Role, region: str, cluster: str, user: str) -> Policy:
    """Who may assume the role: Redshift, for one database user of one cluster or workgroup."""
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {
                        "sts:ExternalId": f"arn:aws:redshift:{region}:{role.account}:dbuser:{cluster}/{user}"
                    }
                },
            }
        ],
    }


def unity_catalog_trust(role: Role, external_id: str) -> Policy:
    """Who may assume the role: Unity Catalog, for one storage credential, and the role itself."""
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": [UNITY_CATALOG_ROLE, role.arn]},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
            }
        ],
    }
