"""The org files themselves, as an asset: which orgs this location serves, and which files are broken and why."""

import dagster as dg
import polars as pl

from justai_assets.dag.metadata import markdown_table
from justai_assets.dag.org_keys import OWNER
from justai_assets.settings import Settings

NAME = "org_files"


def org_files_key() -> dg.AssetKey:
    """Of this code location: with several, each has its slice of the orgs, and two assets of one key would be one."""
    slice_name = Settings.from_environment().slice_name
    return dg.AssetKey([NAME, slice_name] if slice_name else NAME)


def org_files_asset() -> dg.AssetsDefinition:
    """The org files as an asset with a check."""
    key = org_files_key()

    @dg.asset(
        key=key,
        group_name="platform",
        kinds={"yaml"},
        owners=[OWNER],
        description="Every org file of this location, read with its secrets; a broken one does not stop the others.",
        check_specs=[
            dg.AssetCheckSpec(
                "org_files_are_valid",
                asset=key,
                description="Every org file is valid, its secrets resolve. Mend: see problems, or `justai org check`.",
            )
        ],
    )
    def org_files(_: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """Read every org file as the location would, and report."""
        return _read()

    return org_files


def _read() -> dg.MaterializeResult:
    orgs = Settings.from_environment().orgs(check_secrets=True)
    problems = [problem for error in orgs.broken.values() for problem in str(error).splitlines()]
    table = pl.DataFrame(
        [(org.slug, str(org.start_date), org.engagement, ", ".join(org.custom)) for org in orgs.by_slug.values()],
        schema=["org", "since", "engagement", "custom"],
        orient="row",
    )
    return dg.MaterializeResult(
        metadata={
            "orgs": dg.MetadataValue.md(markdown_table(table)),
            "valid": len(orgs.by_slug),
            "broken": len(orgs.broken),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="org_files_are_valid",
                passed=not problems,
                metadata={"problems": dg.MetadataValue.md("\n".join(f"- {line}" for line in problems))},
            )
        ],
    )


def broken_org_spec(slug: str, error: Exception) -> dg.AssetSpec:
    """A broken org file, visible in the asset graph under its name."""
    return dg.AssetSpec(
        dg.AssetKey(["broken_org_files", slug.replace(".", "_")]),
        group_name="platform",
        kinds={"yaml"},
        description=f"This org file is broken; its org has no assets until it is mended.\n\n```\n{error}\n```",
    )
