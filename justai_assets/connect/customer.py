"""What is known of the customer when its kit is printed; what is not stands as <a-placeholder>."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from justai_assets.attribution.sql.inputs import Inputs, default_tables
from justai_assets.connect.policies import PLACEHOLDER_ACCOUNT, ConnectError
from justai_assets.orgs.model import Org

BASE_URL = "https://worker.justwords.ai"


@dataclass(frozen=True)
class Customer:
    """The customer.

    Attributes:
        org: its org file.
        landing: the landing root; its bucket is where drops go.
        base_url: where webhooks arrive, https and without a path.
        account: its AWS account id.
        region: region of its cluster.
        bucket: a bucket other than the landing root's.
        external_id: of its Unity Catalog storage credential.
        inputs: its tables, by dialect.
        may_delete: whether its role will have s3:DeleteObject.
    """

    org: Org
    landing: str
    base_url: str = BASE_URL
    account: str = PLACEHOLDER_ACCOUNT
    region: str = "us-east-1"
    bucket: str | None = None
    external_id: str = "<storage-credential-external-id>"
    cluster: str = "<cluster-name>"
    database_user: str = "<database-user>"
    tables: dict[str, str] = field(default_factory=dict)
    may_delete: bool = True

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme != "https" or not parts.netloc or parts.path.strip("/") or parts.query:
            raise ConnectError(f"{self.base_url!r} is not a base URL", mend="write https://host, without a path")

    def url(self, path: str) -> str:
        """The address of a path that ends in the slug."""
        return f"{self.base_url.rstrip('/')}{path}/{self.org.slug}"

    def inputs(self, *, databricks: bool) -> Inputs:
        """Its tables: those named, or the documented samples'."""
        tables = {**default_tables("databricks" if databricks else "redshift"), **self.tables}
        return Inputs(tables["engagement"], tables["custom"])
