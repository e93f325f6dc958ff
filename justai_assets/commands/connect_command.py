"""`justai connect`: what a customer must do to connect a source."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter


def connect(
    source: Annotated[str, Parameter(name=("--source", "--door"))],
    *,
    org: str,
    account: str | None = None,
    region: str | None = None,
    bucket: str | None = None,
    bucket_region: str | None = None,
    cluster: str | None = None,
    database_user: str | None = None,
    external_id: str | None = None,
    writers: str | None = None,
    content: str | None = None,
    engagement_table: str | None = None,
    custom_table: str | None = None,
    delete: Annotated[bool, Parameter(negative="--no-delete")] = True,
    url: str | None = None,
) -> None:
    """Print what the customer must do for one source, filled in: policies, SQL, addresses, headers, bodies (Markdown).

    Example: `justai connect redshift --org acme --account 123456789012`

    What is not known stands as `<a-placeholder>`. Secrets stand as their references.

    Parameters
    ----------
    source
        iterable_webhooks, journey_webhooks, chameleon_webhooks, redshift, databricks, delta_share, …
    org
        The org's slug.
    account
        The customer's AWS account id.
    region
        Region of its Redshift cluster.
    bucket
        Bucket of the drop, when it is not JUSTAI_LANDING's.
    bucket_region
        Region of that bucket.
    cluster
        Redshift cluster, or the workgroup's name of a serverless one.
    database_user
        The database user that unloads.
    external_id
        External id of the Unity Catalog storage credential.
    writers
        Databricks group that exports.
    content
        unified_events (joined on their side) or custom_events, for a drop that the org file does not have yet.
    engagement_table
        Their table of sends, opens, clicks.
    custom_table
        Their table of custom events.
    delete
        Whether their role gets s3:DeleteObject on its prefix; a Databricks export needs it.
    url
        Where webhooks arrive. Default: https://worker.justwords.ai
    """
    import sys

    from justai_assets.connect.customer import Customer
    from justai_assets.connect.kit import kit
    from justai_assets.settings import Settings

    settings = Settings.from_environment()
    given = {
        "account": account,
        "region": region,
        "bucket": bucket,
        "bucket_region": bucket_region,
        "cluster": cluster,
        "database_user": database_user,
        "external_id": external_id,
        "writers": writers,
        "chosen": content,
        "base_url": url,
    }
    tables = {"engagement": engagement_table, "custom": custom_table}
    customer = Customer(
        settings.orgs().get(org),
        settings.landing,
        tables={name: table for name, table in tables.items() if table is not None},
        may_delete=delete,
        **{name: value for name, value in given.items() if value is not None},
    )
    sys.stdout.write(kit(source, customer))
