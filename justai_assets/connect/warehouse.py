"""Connecting the doors of a warehouse: Redshift and Databricks drops, and a Delta Share."""

from __future__ import annotations

import json

from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql import databricks_export
from justai_assets.attribution.sql.day_span import Span
from justai_assets.attribution.sql.dialects import Dialect
from justai_assets.attribution.sql.script import DEFAULT_LAST_DAYS, Form, Target, script, statements
from justai_assets.connect.customer import Customer
from justai_assets.connect.policies import (
    ConnectError,
    Policy,
    Role,
    bucket_policy,
    redshift_trust,
    role_policy,
    unity_catalog_trust,
)
from justai_assets.connect.step import Step
from justai_assets.landing.drop_place import DropPlace

_CUSTOM_EVENTS = "event_timestamp, event_date, event_name, user_id_or_email"
_REDSHIFT_KMS = (
    "In a bucket encrypted with a KMS key, add ENCRYPTED AUTO to the UNLOAD; otherwise it writes with SSE-S3."
)


def redshift(customer: Customer) -> list[Step]:
    """A role for UNLOAD, and the UNLOAD itself."""
    role = Role(customer.account, f"justai-redshift-{customer.org.slug}"[:64])
    place = DropPlace.of(customer.landing, "redshift", customer.org.slug, bucket=customer.bucket)
    form: Form = "export" if customer.may_delete else "manifest"
    trust = redshift_trust(role, customer.region, customer.cluster, customer.database_user)
    return [
        Step(
            f"Create the IAM role {role.name} with this trust policy",
            "The external id names the one database user that may use it, by the cluster's region. For a serverless "
            "workgroup it is dbuser:<workgroup-name>/<user-name>; AWS has also documented "
            "dbuser:serverless-<account>-<workgroup-id>/<user-name>: if assuming the role is refused, name both "
            "in a list. Then attach the role to the cluster or the workgroup's namespace. A role that is not in the "
            "cluster's account is chained: IAM_ROLE '<cluster-role-arn>,<this-role-arn>'.",
            _json(trust),
            "json",
        ),
        Step(
            "Give it this permissions policy",
            _deletes(customer, "CLEANPATH"),
            _json(role_policy(place, may_delete=customer.may_delete)),
            "json",
        ),
        Step("Send us the role's ARN", "", role.arn),
        _ours(bucket_policy(place, role, may_delete=customer.may_delete), _REDSHIFT_KMS),
        Step(
            "Run the export daily",
            f"{_content(customer, 'redshift')} REGION is the bucket's; leave it out when the cluster is there.",
            _script(customer, "redshift", form, Target(place, role.arn, customer.bucket_region)),
            "sql",
        ),
        Step("Check the first drop", "It is read within minutes.", f"justai doctor --org {customer.org.slug}", "shell"),
    ]


def databricks(customer: Customer) -> list[Step]:
    """A role, a storage credential, an external location, and the export.

    Raises:
        ConnectError: the role is to have no s3:DeleteObject.
    """
    org = customer.org
    if not customer.may_delete:
        raise ConnectError(
            "a Databricks export cannot do without s3:DeleteObject",
            mend="leave --no-delete out: overwriting a day removes the files of the earlier run",
        )
    role = Role(customer.account, f"justai-databricks-{org.slug}"[:64])
    place = DropPlace.of(customer.landing, "databricks", org.slug, bucket=customer.bucket)
    name = f"justai_{org.slug.replace('-', '_')}"
    credential = json.dumps({"name": name, "aws_iam_role": {"role_arn": role.arn}})
    return [
        Step(
            f"Create the IAM role {role.name} with this trust policy",
            "It trusts Unity Catalog and itself. A role cannot name itself before it exists: create it with the first "
            "principal alone, then update it. The external id is shown when the storage credential is created.",
            _json(unity_catalog_trust(role, customer.external_id)),
            "json",
        ),
        Step(
            "Give it this permissions policy",
            _deletes(customer, "Overwriting a day"),
            _json(role_policy(place, may_read=True, assumes=role)),
            "json",
        ),
        Step("Send us the role's ARN", "", role.arn),
        _ours(bucket_policy(place, role, may_read=True)),
        Step(
            "Create the storage credential",
            "With the Databricks CLI, or in Catalog Explorer:",
            f"databricks storage-credentials create --json '{credential}'",
            "shell",
        ),
        Step(
            "Create the external location and grant it to the writers",
            "The URL ends in a slash, so that it covers no other org's folder.",
            f"CREATE EXTERNAL LOCATION IF NOT EXISTS {name}\nURL '{place.url}'\nWITH (STORAGE CREDENTIAL {name});\n\n"
            + "\n\n".join(
                f"GRANT {privilege} ON EXTERNAL LOCATION {name} TO `{customer.writers}`;"
                for privilege in ("READ FILES", "WRITE FILES", "CREATE EXTERNAL TABLE")
            ),
            "sql",
        ),
        Step(
            "Let the writers make the export's table and read yours",
            "Whoever makes the table owns it; another user of the group needs MODIFY and SELECT on it.",
            _grants(customer),
            "sql",
        ),
        Step(
            "Run the export daily, in Python",
            f"{_content(customer, 'databricks')} It runs on classic and serverless compute. A script in SQL that knows "
            f"its days by itself needs classic compute: `justai sql --dialect databricks --org {org.slug}`; with "
            "--from and --to it runs in a SQL warehouse too.",
            _script(customer, "databricks", "pyspark", Target(place)),
            "python",
        ),
        Step("Check the first drop", "It is read within minutes.", f"justai doctor --org {org.slug}", "shell"),
    ]


def delta_share(customer: Customer) -> list[Step]:
    """A view of the unified stream, shared."""
    org = customer.org
    place = DropPlace.of(customer.landing, "databricks", org.slug, bucket=customer.bucket)
    source = org.sources.delta_share
    catalog, schema = databricks_export.SCHEMA.split(".")
    table = (
        source.table if source else f"{databricks_export.SHARE}.{schema}.{databricks_export.VIEW.rpartition('.')[2]}_v1"
    )
    share, schema, name = table.split(".")
    base, _, version = name.rpartition("_v")
    base, number = (base, int(version)) if base and version.isdecimal() else (name, 1)
    shared = f"{share}.{schema}.{base}_v{number}"
    target = Target(place, view=f"{catalog}.{schema}.{base}", version=number, share=share)
    inputs = customer.inputs(databricks=True)
    made, view, *grants = statements(Rule.of(org.attribution), inputs, "databricks", "share", target, Span())
    named = "The org file names the table as share.schema.table:"
    if source and source.table != shared:
        named = f"A version stands at the end of its name: the org file's table, {source.table}, becomes"
    profile = source.profile if source else "file:/run/secrets/<slug>.share"
    return [
        Step(
            "Create the view",
            "The join runs in your workspace; the view has the six columns and no user. It covers all days. Another "
            f"catalog than {catalog} does as well.",
            f"{made};\n\n{view};",
            "sql",
        ),
        Step(
            "Share it",
            "A view is added with ADD VIEW. The last statement shows the activation link.",
            "\n\n".join(f"{one};" for one in grants),
            "sql",
        ),
        Step(
            "Send us the activation link and the view's name in the share",
            f"The credential file it gives is kept as a secret, behind {profile}. {named}",
            shared,
        ),
        Step(
            "When the schema changes, share a new version beside the old one",
            "New columns are nullable. The old view stays until we have moved.",
            f"justai sql --dialect databricks --org {org.slug} --form share --view {target.view} "
            f"--view-version {number + 1}",
            "shell",
        ),
    ]


def _json(policy: Policy) -> str:
    return json.dumps(policy, indent=2)


def _deletes(customer: Customer, what: str) -> str:
    if customer.may_delete:
        return (
            f"{what} removes the parts of an earlier run, which needs s3:DeleteObject on the prefix and nowhere else."
        )
    return "Without s3:DeleteObject nothing is removed: parts of an earlier run are told apart by the manifest alone."


def _grants(customer: Customer) -> str:
    inputs = customer.inputs(databricks=True, content=customer.content("databricks"))
    catalog = databricks_export.SCHEMA.partition(".")[0]
    read = [inputs.custom_table]
    if customer.content("databricks") == "unified_events":
        read.insert(0, inputs.engagement_table)
    granted = [
        ("USE CATALOG", f"CATALOG {catalog}"),
        ("CREATE SCHEMA", f"CATALOG {catalog}"),
        *(("SELECT", f"TABLE {table}") for table in read),
    ]
    return "\n\n".join(f"GRANT {privilege} ON {what} TO `{customer.writers}`;" for privilege, what in granted)


def _ours(policy: Policy, more: str = "") -> Step:
    said = (
        "For your records; nothing to do. The bucket has Object Ownership BucketOwnerEnforced: what you write is ours, "
        "without ACLs. Where it is encrypted with a KMS key of its own, the role and the key's policy also need "
        f"kms:GenerateDataKey and kms:Decrypt. {more}"
    )
    return Step("We add this to the bucket's policy", said.strip(), _json(policy), "json")


def _content(customer: Customer, door: str) -> str:
    if customer.content(door) == "custom_events":
        return (
            f"It brings custom events alone ({_CUSTOM_EVENTS}), which we join with the sends, and replaces the last "
            "days, so that late events are found. Name people as the sends do: by email, or by the same user id."
        )
    return "It joins on your side and replaces the last days, so that late events are found."


def _script(customer: Customer, dialect: Dialect, form: Form, target: Target) -> str:
    org = customer.org
    content = customer.content(dialect)
    inputs = customer.inputs(databricks=dialect == "databricks", content=content)
    span = Span(last=DEFAULT_LAST_DAYS)
    return script(org.slug, Rule.of(org.attribution), inputs, dialect, form, target, span, content=content)
