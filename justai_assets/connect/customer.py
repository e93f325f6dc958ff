"""What is known of the customer when its kit is printed; what is not stands as <a-placeholder>."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from justai_assets.attribution.sql.customer_tables import CONTENTS, Content, Inputs, default_tables
from justai_assets.attribution.sql.dialects import Dialect
from justai_assets.contract.errors import JustAIError
from justai_assets.orgs.org_model import Org

PLACEHOLDER_ACCOUNT = "<account-id>"
BASE_URL = "https://worker.justwords.ai"
PLACEHOLDER_REGION = "<region>"
_GROUP = re.compile(r"[^`\n]+")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d|<[a-z-]+>")


class ConnectError(JustAIError):
    """An option with which nothing can be printed."""

    code = "connect"


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
        bucket_region: region of the bucket.
        external_id: of its Unity Catalog storage credential.
        cluster: its Redshift cluster, or workgroup of a serverless one.
        database_user: the user that unloads.
        writers: the Databricks group that exports.
        tables: its tables, by input.
        may_delete: whether its role will have s3:DeleteObject.
        chosen: what the drop brings, where the org file does not say.
    """

    org: Org
    landing: str
    base_url: str = BASE_URL
    account: str = PLACEHOLDER_ACCOUNT
    region: str = PLACEHOLDER_REGION
    bucket: str | None = None
    bucket_region: str = "<bucket-region>"
    external_id: str = "<storage-credential-external-id>"
    cluster: str = "<cluster-name>"
    database_user: str = "<database-user>"
    writers: str = "<writers-group>"
    tables: dict[str, str] = field(default_factory=dict)
    may_delete: bool = True
    chosen: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme != "https" or not parts.netloc or parts.path.strip("/") or parts.query:
            raise ConnectError(f"{self.base_url!r} is not a base URL", mend="write https://host, without a path")
        if not _GROUP.fullmatch(self.writers):
            raise ConnectError(f"{self.writers!r} is not a group", mend="give its name, without backquotes")
        for region in (self.region, self.bucket_region):
            if not _REGION.fullmatch(region):
                raise ConnectError(f"{region!r} is not a region", mend="write for example us-east-1")
        if self.chosen is not None and self.chosen not in CONTENTS:
            raise ConnectError(f"{self.chosen!r} is not a content", mend=f"choose {', '.join(CONTENTS)}")

    def url(self, path: str) -> str:
        """The address of a path that ends in the slug."""
        return f"{self.base_url.rstrip('/')}{path}/{self.org.slug}"

    def content(self, source: str) -> Content:
        """What a drop brings: as the org file says, else as chosen, else the unified stream.

        Raises:
            ConnectError: what was chosen is not what the org file says.
        """
        agreed = self.org.sources.content(source) if source in self.org.sources.present() else None
        if self.chosen is not None and agreed not in (None, self.chosen):
            raise ConnectError(
                f"{self.org.slug}.yaml says sources.{source}.content: {agreed}, not {self.chosen}",
                mend="change the org file first (org check says what else must change), or leave --content out",
            )
        wanted = agreed or self.chosen or "unified_events"
        return next(one for one in CONTENTS if one == wanted)

    def inputs(self, dialect: Dialect, content: Content = "unified_events") -> Inputs:
        """Its tables: those named, or the documented samples'."""
        tables = {**default_tables(dialect, content), **self.tables}
        return Inputs(tables["engagement"], tables["custom"])
