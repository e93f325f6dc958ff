"""Redshift: the UNLOAD of the unified stream."""

from __future__ import annotations

import re

from sqlglot import exp

from justai_assets.attribution.sql.dialects import SqlError
from justai_assets.landing.drop_place import DropPlace

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}|<[a-z-]+>):role/([\w+=,.@/-]+|<[a-z-]+>)")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


def unload(
    query: exp.Expression, place: DropPlace, role: str, *, may_delete: bool = True, region: str | None = None
) -> list[str]:
    """The statements of the export, in order.

    Args:
        query: the unified stream, for Redshift.
        place: the org's own prefix; its slash keeps `acme` out of `acme-eu` and puts the manifest into the folder.
        role: ARN of the role that Redshift assumes.
        may_delete: whether the role has s3:DeleteObject on the prefix. Then CLEANPATH empties every day's folder that
            the UNLOAD writes to, and no part of an earlier run stays. Otherwise ALLOWOVERWRITE with a verbose MANIFEST:
            names are overwritten, nothing is removed, and readers go by the manifest. It speaks of the days of the last
            run alone: of an older day a later manifest says nothing, and a stale part there counts again.
        region: the bucket's, when it is not the cluster's.

    Raises:
        SqlError: a role or region that is none.
    """
    if not _ROLE.fullmatch(role):
        raise SqlError(f"{role!r} is not a role's ARN", mend="write arn:aws:iam::123456789012:role/name")
    if region is not None and not _REGION.fullmatch(region):
        raise SqlError(f"{region!r} is not a region", mend="write for example us-east-1")
    text = query.sql(dialect="redshift", pretty=True).replace("'", "''")
    options = ["CLEANPATH"] if may_delete else ["ALLOWOVERWRITE", "MANIFEST VERBOSE"]
    if region is not None:
        options.append(f"REGION '{region}'")
    lines = [
        f"UNLOAD ('\n{text}\n')",
        f"TO '{place.url}'",
        f"IAM_ROLE '{role}'",
        "FORMAT AS PARQUET",
        "PARTITION BY (event_date) INCLUDE",
        *options,
    ]
    # GETDATE() and the dates of TIMESTAMPTZ columns follow the session.
    return ["SET timezone TO 'UTC'", "\n".join(lines)]
