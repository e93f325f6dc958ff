"""The marts as assets: the dbt project over the lake of all orgs, joined to the tables it reads.

dbt is imported inside functions: it takes two seconds, and only a location that has a parsed project needs it.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from justai_assets.contract.errors import JustAIError
from justai_assets.dag.marts_file import replacing
from justai_assets.dag.marts_sensor import READ, marts_sensor
from justai_assets.dag.org_keys import OWNER, table_keys
from justai_assets.dag.partitions import daily, days_of
from justai_assets.dag.resources import Platform
from justai_assets.orgs.org_model import Org
from justai_assets.settings import Settings

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
GROUP = "marts"
POOL = "marts"
TABLES = dg.AssetKey("tables_of_all_orgs")
DAYS_A_RUN = 7

MEND = (
    "the SQL in dbt_project/target/compiled shows the rows that fail; mend the tables they come from, then build the "
    "mart's days again."
)


def manifest_path(project: Path = PROJECT) -> Path:
    """Where dbt puts the parsed project."""
    return project / "target" / "manifest.json"


def parse_project(project: Path = PROJECT) -> Path:
    """Parse the project into its manifest, without lake or network; returns the manifest's path.

    The project does not depend on the orgs, so this is needed once after an installation.
    """
    from dbt.cli.main import dbtRunner

    # dbt would write its log below the working directory, whatever that is.
    place = ["--project-dir", str(project), "--profiles-dir", str(project), "--log-path", str(project / "logs")]
    result = dbtRunner().invoke(["--quiet", "parse", *place])
    if not result.success:
        raise JustAIError(
            f"the dbt project in {project} cannot be parsed: {result.exception}",
            code="dbt_project",
            mend="run dbt parse in it",
        )
    return manifest_path(project)


def marts_defs(orgs: Sequence[Org], manifest: Path | None = None) -> dg.Definitions:
    """The marts over the orgs, and the DuckDB they lie in for ad-hoc SQL; nothing without a parsed project or org."""
    path = manifest or manifest_path()
    if not path.is_file() or not orgs:
        return dg.Definitions()
    from dagster_dbt import DbtCliResource
    from dagster_duckdb import DuckDBResource

    project = path.parents[1]
    marts = _marts(orgs, path)
    return dg.Definitions(
        assets=[tables_of_all_orgs(orgs), marts],
        sensors=[marts_sensor(orgs, sorted(marts.keys), DAYS_A_RUN)],
        resources={
            "dbt": DbtCliResource(
                project_dir=str(project),
                profiles_dir=str(project),
                # Beside this interpreter: the environment may not be on the PATH of a service.
                dbt_executable=str(Path(sys.executable).with_name("dbt")),
            ),
            "duckdb": DuckDBResource(database=str(Settings.from_environment().marts.resolve())),
        },
    )


def marts_start(orgs: Sequence[Org]) -> date:
    """The first day of any org."""
    return min(org.start_date for org in orgs)


def tables_of_all_orgs(orgs: Sequence[Org]) -> dg.AssetSpec:
    """One asset between the orgs' tables and the marts, for lineage: 800 tables above each of seven marts is too much.

    Nothing is materialized here. Which days of the marts changed is what their sensor finds.
    """
    return dg.AssetSpec(
        TABLES,
        deps=[key for org in orgs for key in table_keys(org) if key.path[-1] in READ],
        group_name=GROUP,
        owners=[OWNER],
        description="The lake tables of every org that the marts read.",
    )


def _marts(orgs: Sequence[Org], manifest: Path) -> dg.AssetsDefinition:
    from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets

    specs: dict[str, dg.AssetSpec] = {}

    class Translator(DagsterDbtTranslator):
        """Keys, group and lineage of the models; sources are the orgs' own tables."""

        def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
            return dg.AssetKey([GROUP, dbt_resource_props["name"]])

        def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:  # noqa: ARG002 - dagster-dbt's signature
            return GROUP

        def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
            # Asked for several times a model; with 800 dependencies each at 200 orgs, that is a second of loading.
            if unique_id not in specs:
                specs[unique_id] = self._spec(manifest, unique_id, project)
            return specs[unique_id]

        def _spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
            spec = super().get_asset_spec(manifest, unique_id, project)
            if not unique_id.startswith("model."):
                return spec
            models = [dep for dep in spec.deps if not _is_source(manifest, dep.asset_key)]
            return spec.replace_attributes(
                deps=[*models, dg.AssetDep(TABLES)],
                owners=[OWNER],
                kinds={"dbt", "duckdb"},
            )

        def get_asset_check_spec(
            self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: Any
        ) -> dg.AssetCheckSpec | None:
            spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
            if spec is None:
                return None
            promise = (spec.description or spec.name.replace("_", " ")).rstrip(".")
            return spec._replace(description=f"{promise}. Mend: {MEND}")

    @dbt_assets(
        manifest=manifest,
        name="build_marts",
        dagster_dbt_translator=Translator(),
        partitions_def=daily(marts_start(orgs)),
        # Its tests look at the messages of all its days at once: a long backfill is cut into weeks.
        backfill_policy=dg.BackfillPolicy.multi_run(DAYS_A_RUN),
        pool=POOL,
    )
    def build_marts(context: dg.AssetExecutionContext, dbt: DbtCliResource, platform: Platform) -> Iterator[Any]:
        days = days_of(context)
        days_given = json.dumps({"from_date": str(days.first), "to_date": str(days.last)})
        # Unit tests test the code, not the day: they run with the project's own tests.
        arguments = ["build", "--exclude-resource-type", "unit_test", "--vars", days_given]
        said: list[Any] = []
        # In the log of the run, which a person reads who wonders why it stands still.
        with replacing(Settings.from_environment().marts.resolve(), context.log.info) as building:
            # dbt runs as its own process in the project's folder: it is told where things are by absolute paths.
            with _environment(dbt_environment(platform, building)):
                invocation = dbt.cli(arguments, context=context)
            try:
                said.extend(invocation.stream())
            except Exception:
                # What failed, and not what was built: nothing of it is published.
                yield from (one for one in said if isinstance(one, dg.AssetCheckResult | dg.AssetCheckEvaluation))
                raise
        yield from said

    return build_marts


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Variables that a process started inside the block gets, and later ones do not."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def dbt_environment(platform: Platform, marts: Path) -> dict[str, str]:
    """Variables that point dbt at the lake, the org files and a file to build the marts in, wherever it is started."""
    settings = Settings.from_environment()
    return {
        "JUSTAI_LAKE": platform.lake().root.url,
        "JUSTAI_ORGS_DIR": str(settings.orgs_dir.resolve()),
        "JUSTAI_MARTS": str(marts),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def _is_source(manifest: Mapping[str, Any], key: dg.AssetKey) -> bool:
    return any(key.path[-1] == one["name"] for one in manifest["sources"].values())
