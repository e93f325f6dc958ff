"""What a customer does to share a view of the unified stream by Delta Sharing."""

from __future__ import annotations

from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql import databricks as databricks_sql
from justai_assets.attribution.sql.script import Target, statements
from justai_assets.attribution.sql.span import Span
from justai_assets.connect.customer import Customer
from justai_assets.connect.step import Step
from justai_assets.landing.drop_place import DropPlace
from justai_assets.sources.delta_share.spec import SHARE, DeltaShare
from justai_assets.sources.warehouse_drop.spec import DATABRICKS


def steps(customer: Customer) -> list[Step]:
    """A view of the unified stream, shared."""
    org = customer.org
    place = DropPlace.of(customer.landing, DATABRICKS.name, org.slug, bucket=customer.bucket)
    source = org.sources.settings(SHARE, DeltaShare)
    catalog, schema = databricks_sql.SCHEMA.split(".")
    table = source.table if source else f"{databricks_sql.SHARE}.{schema}.{databricks_sql.VIEW.rpartition('.')[2]}_v1"
    share, schema, name = table.split(".")
    base, _, version = name.rpartition("_v")
    base, number = (base, int(version)) if base and version.isdecimal() else (name, 1)
    shared = f"{share}.{schema}.{base}_v{number}"
    target = Target(place, view=f"{catalog}.{schema}.{base}", version=number, share=share)
    inputs = customer.inputs("databricks")
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
