"""Redshift: the UNLOAD of a query."""

from __future__ import annotations

import re
from datetime import date

from sqlglot import exp

from justai_assets.attribution.sql.dialects import SqlError
from justai_assets.landing.drop_place import DropPlace

_ONE_ROLE = r"arn:aws[a-z-]*:iam::(\d{12}|<[a-z-]+>):role/([\w+=.@/-]+|<[a-z-]+>)"
_ROLE = re.compile(rf"{_ONE_ROLE}(,{_ONE_ROLE})*")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d|<[a-z-]+>")

SESSION = "SET timezone TO 'UTC'"
"""GETDATE() and the dates of TIMESTAMPTZ columns follow the session."""


def unload(
    query: exp.Expression,
    place: DropPlace,
    role: str,
    *,
    may_delete: bool = True,
    region: str | None = None,
    day: date | None = None,
) -> str:
    """The UNLOAD of a query below the org's prefix.

    Args:
        query: for Redshift; it has event_date.
        place: the org's own prefix; its slash keeps `acme` out of `acme-eu` and puts the manifest into the folder.
        role: ARN of the role that Redshift assumes, or a chain of them with commas and no space between.
        may_delete: whether the role has s3:DeleteObject on the prefix. Then CLEANPATH empties what the UNLOAD writes
            to, and no part of an earlier run stays. Otherwise ALLOWOVERWRITE with a verbose MANIFEST: names are
            overwritten, nothing is removed, and readers go by the manifest.
        region: the bucket's, when it is not the cluster's.
        day: the one day that the query gives. It is written straight into its folder, without PARTITION BY: CLEANPATH
            then empties the folder also when the query has no row. None: PARTITION BY, by which CLEANPATH touches only
            the days that get rows, and one manifest speaks of the days of the last run.

    Raises:
        SqlError: a role or region that is none.
    """
    if not _ROLE.fullmatch(role):
        mend = "write arn:aws:iam::123456789012:role/name; chained roles with a comma and no space"
        raise SqlError(f"{role!r} is not a role's ARN", mend=mend)
    if region is not None and not _REGION.fullmatch(region):
        raise SqlError(f"{region!r} is not a region", mend="write for example us-east-1")
    text = query.sql(dialect="redshift", pretty=True).replace("'", "''")
    options = ["CLEANPATH"] if may_delete else ["ALLOWOVERWRITE", "MANIFEST VERBOSE"]
    if day is None:
        options.insert(0, "PARTITION BY (event_date) INCLUDE")
    if region is not None:
        options.append(f"REGION '{region}'")
    folder = "" if day is None else f"event_date={day.isoformat()}/"
    lines = [f"UNLOAD ('\n{text}\n')", f"TO '{place.url}{folder}'", f"IAM_ROLE '{role}'", "FORMAT AS PARQUET", *options]
    return "\n".join(lines)
