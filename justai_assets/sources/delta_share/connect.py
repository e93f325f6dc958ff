"""What the connect text of a Delta Share shows: the view of the unified stream, and how it is shared."""

from __future__ import annotations

from typing import Any

from justai_assets.attribution.rule import Rule
from justai_assets.attribution.sql import databricks_export
from justai_assets.attribution.sql.day_span import Span
from justai_assets.attribution.sql.script import Target, statements
from justai_assets.connect.customer import Customer
from justai_assets.landing.drop_place import DropPlace
from justai_assets.sources.delta_share.spec import SHARE, DeltaShare
from justai_assets.sources.warehouse_drop.spec import DATABRICKS


def values(customer: Customer) -> dict[str, Any]:
    """The statements, and the names of the view and the shared table.

    A version stands at the end of each name: the org file's, or 1 where that names none.
    """
    org = customer.org
    place = DropPlace.of(customer.landing, DATABRICKS.name, org.slug, bucket=customer.bucket)
    settings = org.sources.settings(SHARE, DeltaShare)
    catalog, schema = databricks_export.SCHEMA.split(".")
    default = f"{databricks_export.SHARE}.{schema}.{databricks_export.VIEW.rpartition('.')[2]}_v1"
    share, schema, name = (settings.table if settings else default).split(".")
    base, _, version = name.rpartition("_v")
    base, number = (base, int(version)) if base and version.isdecimal() else (name, 1)
    target = Target(place, view=f"{catalog}.{schema}.{base}", version=number, share=share)
    inputs = customer.inputs("databricks")
    made, view, *grants = statements(Rule.of(org.attribution), inputs, "databricks", "share", target, Span())
    return {
        "catalog": catalog,
        "view_sql": f"{made};\n\n{view};",
        "share_sql": "\n\n".join(f"{one};" for one in grants),
        "shared_table": f"{share}.{schema}.{base}_v{number}",
        "view": target.view,
        "next_version": number + 1,
    }
