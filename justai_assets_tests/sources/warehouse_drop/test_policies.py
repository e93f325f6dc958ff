from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from justai_assets.landing.drop_place import DropPlace
from justai_assets.sources.warehouse_drop.policies import (
    UNITY_CATALOG_ROLE,
    ConnectError,
    Policy,
    Role,
    bucket_policy,
    redshift_trust,
    role_policy,
    unity_catalog_trust,
)
from justai_assets_tests.sources.warehouse_drop.iam import allows

BUCKET = "justai-drops"
PLACE = DropPlace(BUCKET, "landing/redshift/acme")
ROLE = Role("123456789012", "justai-redshift-acme")
OWN = "landing/redshift/acme/event_date=2026-01-01/0000_part_00.parquet"
FOREIGN = (
    "landing/redshift/acme-eu/event_date=2026-01-01/0000_part_00.parquet",
    "landing/redshift/acmemanifest",
    "landing/redshift/acme",
    "landing/redshift/globex/x.parquet",
    "landing/databricks/acme/x.parquet",
    "redshift/acme/x.parquet",
    "x",
)
TLS = {"aws:SecureTransport": "true"}
POLICIES = [
    pytest.param(role_policy(PLACE), id="role"),
    pytest.param(role_policy(PLACE, may_delete=False), id="role-no-delete"),
    pytest.param(role_policy(PLACE, may_read=True, assumes=ROLE), id="role-databricks"),
    pytest.param(bucket_policy(PLACE, ROLE), id="bucket"),
    pytest.param(bucket_policy(PLACE, ROLE, may_delete=False, may_read=True), id="bucket-no-delete"),
]


def arn(key: str = "") -> str:
    return f"arn:aws:s3:::{BUCKET}/{key}" if key else f"arn:aws:s3:::{BUCKET}"


@pytest.mark.parametrize("policy", POLICIES)
def test_the_role_writes_below_its_prefix_and_nowhere_else(policy: Policy) -> None:
    assert allows(policy, "s3:PutObject", arn(OWN), **TLS)
    for key in FOREIGN:
        for action in ("s3:PutObject", "s3:DeleteObject", "s3:GetObject", "s3:AbortMultipartUpload"):
            assert not allows(policy, action, arn(key), **TLS), (action, key)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_role_lists_its_prefix_and_no_other(policy: Policy) -> None:
    for prefix in ("landing/redshift/acme/", "landing/redshift/acme/event_date=2026-01-01/"):
        assert allows(policy, "s3:ListBucket", arn(), **{"s3:prefix": prefix}, **TLS)
    for prefix in ("", "landing/", "landing/redshift/acme", "landing/redshift/acme-eu/", "landing/redshift/a"):
        assert not allows(policy, "s3:ListBucket", arn(), **{"s3:prefix": prefix}, **TLS)
    assert not allows(policy, "s3:ListBucket", arn(), **TLS), "without a prefix the whole bucket would be listed"


def test_the_statements_of_several_doors_and_orgs_are_merged_into_one_policy() -> None:
    places = [DropPlace(BUCKET, folder) for folder in (
        "landing/redshift/acme", "landing/redshift/acme-eu", "landing/redshift/acmeeu", "landing/databricks/acme",
        "redshift/globex",
    )]  # fmt: skip
    merged = [statement for place in places for statement in bucket_policy(place, ROLE)["Statement"]]
    assert len({statement["Sid"] for statement in merged}) == len(merged)


def test_deleting_and_reading_are_allowed_only_where_they_are_needed() -> None:
    assert allows(role_policy(PLACE), "s3:DeleteObject", arn(OWN))
    assert not allows(role_policy(PLACE, may_delete=False), "s3:DeleteObject", arn(OWN))
    assert not allows(role_policy(PLACE), "s3:GetObject", arn(OWN))
    assert allows(role_policy(PLACE, may_read=True), "s3:GetObject", arn(OWN))
    assert allows(role_policy(PLACE, assumes=ROLE), "sts:AssumeRole", ROLE.arn)
    assert not allows(role_policy(PLACE), "sts:AssumeRole", ROLE.arn)


def test_nothing_is_written_or_listed_without_tls() -> None:
    policy = bucket_policy(PLACE, ROLE)
    plain = {"aws:SecureTransport": "false"}
    assert not allows(policy, "s3:PutObject", arn(OWN), **plain)
    assert not allows(policy, "s3:ListBucket", arn(), **{"s3:prefix": "landing/redshift/acme/"}, **plain)
    assert not allows(policy, "s3:GetBucketLocation", arn(), **plain)


@pytest.mark.parametrize("policy", [one.values[0] for one in POLICIES])
def test_a_policy_is_small_named_and_grants_no_wildcard_action(policy: Policy) -> None:
    assert policy["Version"] == "2012-10-17"
    sids = [statement["Sid"] for statement in policy["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids)
    assert len(json.dumps(policy, separators=(",", ":"))) < 2048, "an inline user policy holds 2,048 characters"
    for statement in policy["Statement"]:
        if statement["Effect"] == "Allow":
            assert "*" not in "".join(statement["Action"])
            assert statement["Resource"] != "*"
            assert statement.get("Principal") in (None, {"AWS": ROLE.arn})


def test_trust_is_bound_to_one_database_user_or_one_credential() -> None:
    (redshift,) = redshift_trust(ROLE, "us-east-1", "warehouse", "exporter")["Statement"]
    assert redshift["Principal"] == {"Service": ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]}
    dbuser = "arn:aws:redshift:us-east-1:123456789012:dbuser:warehouse/exporter"
    assert redshift["Condition"] == {"StringEquals": {"sts:ExternalId": dbuser}}
    (databricks,) = unity_catalog_trust(ROLE, "id-1")["Statement"]
    assert databricks["Principal"] == {"AWS": [UNITY_CATALOG_ROLE, ROLE.arn]}
    assert databricks["Condition"] == {"StringEquals": {"sts:ExternalId": "id-1"}}


@pytest.mark.parametrize(("account", "name"), [("12", "a"), ("123456789012", "a b"), ("123456789012", "a/b")])
def test_an_account_or_role_name_that_is_none_is_refused(account: str, name: str) -> None:
    with pytest.raises(ConnectError):
        Role(account, name)


@pytest.fixture
def s3_as_role() -> Iterator[Any]:
    """S3 as the role with the printed policy sees it, IAM enforced by moto; a bucket of the printed name."""
    import boto3
    from moto import mock_aws
    from moto.core import set_initial_no_auth_action_count

    with mock_aws():
        region = {"region_name": "us-east-1"}
        boto3.client("s3", **region).create_bucket(Bucket=BUCKET)
        for key in FOREIGN:
            boto3.client("s3", **region).put_object(Bucket=BUCKET, Key=key, Body=b"theirs")
        iam = boto3.client("iam", **region)
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}  # fmt: skip
        iam.create_role(RoleName=ROLE.name, AssumeRolePolicyDocument=json.dumps(trust))
        iam.put_role_policy(
            RoleName=ROLE.name, PolicyName="drop", PolicyDocument=json.dumps(role_policy(PLACE, may_read=True))
        )
        assumed = boto3.client("sts", **region).assume_role(RoleArn=ROLE.arn, RoleSessionName="export")["Credentials"]
        client = boto3.client(
            "s3",
            **region,
            aws_access_key_id=assumed["AccessKeyId"],
            aws_secret_access_key=assumed["SecretAccessKey"],
            aws_session_token=assumed["SessionToken"],
        )

        @set_initial_no_auth_action_count(0)
        def call(action: str, **arguments: Any) -> str:
            from botocore.exceptions import ClientError

            try:
                getattr(client, action)(Bucket=BUCKET, **arguments)
            except ClientError as error:
                return str(error.response["Error"]["Code"])
            return "done"

        yield call


def test_moto_enforces_the_printed_policy_as_the_role_meets_it(
    s3_as_role: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert s3_as_role("put_object", Key=OWN, Body=b"rows") == "done"
    assert s3_as_role("get_object", Key=OWN) == "done"
    assert s3_as_role("delete_object", Key=OWN) == "done"
    assert s3_as_role("get_bucket_location") == "done"
    for key in FOREIGN:
        assert s3_as_role("put_object", Key=key, Body=b"mine") == "AccessDenied", key
        assert s3_as_role("get_object", Key=key) == "AccessDenied", key
        assert s3_as_role("delete_object", Key=key) == "AccessDenied", key
    assert s3_as_role("put_bucket_policy", Policy="{}") == "AccessDenied"
