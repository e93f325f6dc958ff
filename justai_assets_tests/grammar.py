"""What the printed statements must look like: the vendors' grammars, for the statements no parser here knows."""

from __future__ import annotations

import ast
import re

import sqlglot
from sqlglot import exp

NAME = r"[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*){0,2}"
UNLOAD = re.compile(
    r"UNLOAD \('(?P<query>(?:[^']|'')*)'\)\s+TO 's3://(?P<bucket>[a-z0-9.-]+)/(?P<prefix>[^']+/)'\s+"
    r"IAM_ROLE '(?P<role>arn:aws:iam::(?:\d{12}|<account-id>):role/[^']+)'\s+FORMAT AS PARQUET\s+"
    r"(?P<partitions>PARTITION BY \(event_date\) INCLUDE\s+)?(?P<options>CLEANPATH|ALLOWOVERWRITE\s+MANIFEST VERBOSE)"
    r"(?:\s+REGION '(?:[a-z0-9-]+|<bucket-region>)')?"
)
GROUP = "`[^`\n]+`"
SPECIAL = {
    "redshift": (re.compile(r"SET timezone TO 'UTC'"), UNLOAD),
    "databricks": (
        re.compile(r"SET [a-zA-Z.]+ = [A-Za-z_]+"),
        re.compile(rf"CREATE SHARE IF NOT EXISTS {NAME}"),
        re.compile(rf"ALTER SHARE {NAME} ADD VIEW {NAME}"),
        re.compile(rf"CREATE RECIPIENT IF NOT EXISTS {NAME}"),
        re.compile(rf"GRANT SELECT ON SHARE {NAME} TO RECIPIENT {NAME}"),
        re.compile(rf"DESCRIBE RECIPIENT {NAME}"),
        re.compile(rf"CREATE EXTERNAL LOCATION IF NOT EXISTS {NAME}\s+URL 's3://[^']+/'\s+"
                   rf"WITH \(STORAGE CREDENTIAL {NAME}\)"),
        re.compile(rf"GRANT (READ FILES|WRITE FILES|CREATE EXTERNAL TABLE) ON EXTERNAL LOCATION {NAME} TO {GROUP}"),
        re.compile(rf"GRANT (USE CATALOG|CREATE SCHEMA) ON CATALOG {NAME} TO {GROUP}"),
        re.compile(rf"GRANT SELECT ON TABLE {NAME} TO {GROUP}"),
    ),
}  # fmt: skip


def parsed(statement: str, dialect: str) -> exp.Expression | re.Match[str]:
    """A statement as the vendor's grammar has it, or as sqlglot parses it whole; AssertionError otherwise."""
    for pattern in SPECIAL.get(dialect, ()):
        if match := pattern.fullmatch(statement):
            return match
    tree = sqlglot.parse_one(statement, read=dialect)
    assert isinstance(tree, exp.Expression)
    assert not isinstance(tree, exp.Command), f"not parsed: {statement[:80]}"
    return tree


def split(script: str) -> list[str]:
    """The statements of a printed script, without comments and semicolons."""
    text = "\n".join(line for line in script.splitlines() if not line.startswith("-- "))
    return [part.strip() for part in text.split(";") if part.strip()]


def query_of_unload(statement: str) -> str:
    """The query inside an UNLOAD."""
    match = UNLOAD.fullmatch(statement)
    assert match is not None
    return match["query"].replace("''", "'")


def statements_of_python(script: str) -> list[str]:
    """The statements that a printed Python script gives to `spark.sql`, in order; the script is run, Spark is not."""
    ran: list[str] = []
    module = ast.parse(script)
    # The one import that is not at hand everywhere.
    module.body = [one for one in module.body if not (isinstance(one, ast.ImportFrom) and one.module == "pyspark.sql")]
    exec(compile(module, "script", "exec"), {"SparkSession": _Session(ran)})
    return ran


class _Session:
    """As much of a SparkSession as the script uses."""

    def __init__(self, ran: list[str]) -> None:
        self.builder, self.getOrCreate, self.sql = self, lambda: self, ran.append
