"""What the connect texts of the drops show: role and policies, the export's script, the tables it reads."""

from __future__ import annotations

import json
from typing import Any

from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql import databricks_export
from justai_assets.attribution.sql.day_span import Span
from justai_assets.attribution.sql.dialects import Dialect
from justai_assets.attribution.sql.script import DEFAULT_LAST_DAYS, Form, Target, script
from justai_assets.connect.customer import ConnectError, Customer
from justai_assets.landing.drop_place import DropPlace
from justai_assets.sources.warehouse_drop.policies import (
    Policy,
    Role,
    bucket_policy,
    redshift_trust,
    role_policy,
    unity_catalog_trust,
)
from justai_assets.sources.warehouse_drop.spec import DATABRICKS, REDSHIFT


def redshift_values(customer: Customer) -> dict[str, Any]:
    """A role for UNLOAD, and the UNLOAD itself. A role that may not delete writes a manifest instead."""
    role = Role(customer.account, f"justai-redshift-{customer.org.slug}"[:64])
    place = DropPlace.of(customer.landing, REDSHIFT.name, customer.org.slug, bucket=customer.bucket)
    form: Form = "export" if customer.may_delete else "manifest"
    return {
        "role": role,
        "trust_policy": _json(redshift_trust(role, customer.region, customer.cluster, customer.database_user)),
        "role_policy": _json(role_policy(place, may_delete=customer.may_delete)),
        "bucket_policy": _json(bucket_policy(place, role, may_delete=customer.may_delete)),
        "content": customer.content(REDSHIFT.name),
        "export": _script(customer, "redshift", form, Target(place, role.arn, customer.bucket_region)),
    }


def databricks_values(customer: Customer) -> dict[str, Any]:
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
    place = DropPlace.of(customer.landing, DATABRICKS.name, org.slug, bucket=customer.bucket)
    content = customer.content(DATABRICKS.name)
    inputs = customer.inputs("databricks", content)
    return {
        "role": role,
        "trust_policy": _json(unity_catalog_trust(role, customer.external_id)),
        "role_policy": _json(role_policy(place, may_read=True, assumes=role)),
        "bucket_policy": _json(bucket_policy(place, role, may_read=True)),
        "name": f"justai_{org.slug.replace('-', '_')}",
        "url": place.url,
        "catalog": databricks_export.SCHEMA.partition(".")[0],
        "tables": [*([inputs.engagement_table] * (content == "unified_events")), inputs.custom_table],
        "content": content,
        "export": _script(customer, "databricks", "pyspark", Target(place)),
    }


def _json(policy: Policy) -> str:
    return json.dumps(policy, indent=2)


def _script(customer: Customer, dialect: Dialect, form: Form, target: Target) -> str:
    org = customer.org
    content = customer.content(dialect)
    inputs = customer.inputs(dialect, content)
    span = Span(last=DEFAULT_LAST_DAYS)
    return script(org.slug, Rule.of(org.attribution), inputs, dialect, form, target, span, content=content).rstrip()
