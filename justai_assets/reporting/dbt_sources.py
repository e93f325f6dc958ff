"""The lake as dbt sees it: one source a table over all orgs, with the org as a column. A plugin of dbt-duckdb.

dbt-duckdb's own `delta` plugin reads one Delta table a source, from a path and storage options in the project's files:
an org more would be another manifest, an org without a table an error, and S3 credentials would stand in artifacts.
Here the Delta logs are read when a run starts (one snapshot for all its models), the Parquet files of all orgs become
one Arrow dataset that DuckDB streams with projection and pruning by org and day, and credentials come from the
environment. Columns about persons are not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from dbt.adapters.duckdb.plugins import BasePlugin

from justai_assets.contract.events import ENGAGEMENT, MAX_WINDOW_HOURS, REACTIONS, SENDS
from justai_assets.contract.tables import (
    ATTRIBUTED_EVENTS,
    ATTRIBUTION_METRICS,
    DELTA_SHARE,
    ESP_EVENTS,
    FATES,
    MESSAGE_OUTCOMES,
    Table,
)
from justai_assets.experiments.metric_names import event_of, is_conversion, metric_of
from justai_assets.lake.store import Lake
from justai_assets.orgs.org_model import Org
from justai_assets.settings import Settings
from justai_assets.sources.lineage import table_of
from justai_assets.sources.registry import lands
from justai_assets.storage import Root

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as pads

LAKE_COLUMNS: Final = {
    MESSAGE_OUTCOMES: tuple(
        name for name in MESSAGE_OUTCOMES.schema if name not in {"person", "conversions", "values"}
    ),
    ATTRIBUTION_METRICS: tuple(ATTRIBUTION_METRICS.schema),
    FATES: tuple(FATES.schema),
    ESP_EVENTS: ("event_timestamp", "event_date", "received_at", "door"),
    ATTRIBUTED_EVENTS: ("event_name", "event_timestamp", "event_date", "is_attributed", "reason", "door"),
}
"""The columns that the marts may read: of the restricted tables, none that is about a person."""


class Plugin(BasePlugin):
    """Loads a source by its name: a lake table of all orgs, or what the org files say."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # noqa: ARG002 - dbt-duckdb's signature
        """Nothing is read before a source is asked for."""
        self._loaded: dict[str, pads.Dataset | pa.Table] = {}
        self._orgs: list[Org] | None = None

    def default_materialization(self) -> str:
        """A view: the rows stay in the lake."""
        return "view"

    def load(self, source_config: Any) -> pads.Dataset | pa.Table:
        """The source named so; the same object for every model of a run."""
        name = source_config.identifier
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> pads.Dataset | pa.Table:
        settings = Settings.from_environment()
        if self._orgs is None:
            self._orgs = list(settings.orgs().by_slug.values())
        for table, columns in LAKE_COLUMNS.items():
            if table.name == name:
                return lake_dataset(Lake(Root.parse(settings.lake)), self._orgs, table, columns)
        return ORG_SOURCES[name](self._orgs)


def lake_dataset(lake: Lake, orgs: list[Org], table: Table, columns: tuple[str, ...]) -> pads.Dataset:
    """One Arrow dataset of a table of all orgs: `org`, then the columns; an org without the table has no rows."""
    import polars as pl
    import pyarrow as pa
    import pyarrow.dataset as pads

    form, filesystem = pads.ParquetFileFormat(), _filesystem(lake.root)
    empty = pl.DataFrame(schema={name: table.schema[name] for name in columns}).to_arrow(
        compat_level=pl.CompatLevel.oldest()
    )
    plain = {pa.large_string(): pa.string()}
    schema = pa.schema(
        [("org", pa.string()), *((field.name, plain.get(field.type, field.type)) for field in empty.schema)]
    )
    fragments = []
    for org in orgs:
        found = lake.open(org.slug, table)
        if found is None:
            continue
        actions = pl.DataFrame(found.get_add_actions(flatten=True))
        for row in actions.iter_rows(named=True):
            place = pads.field("org") == org.slug
            for name in table.partition_by:
                value = row[f"partition.{name}"]
                here = pads.field(name).is_null() if value is None else pads.field(name) == pa.scalar(value)
                place = place & here
            path = f"{lake.key(org.slug, table)}/{row['path']}"
            fragments.append(form.make_fragment(path, filesystem, partition_expression=place))
    return pads.FileSystemDataset(fragments, schema, form, filesystem)


def _filesystem(root: Root) -> Any:
    """The lake root as an Arrow file system."""
    from pyarrow import fs

    if root.is_local:
        return fs.SubTreeFileSystem(str(root.local()), fs.LocalFileSystem())
    options = root.options
    endpoint = options.get("aws_endpoint_url", "")
    named = {
        "access_key": options.get("aws_access_key_id"),
        "secret_key": options.get("aws_secret_access_key"),
        "session_token": options.get("aws_session_token"),
        "region": options.get("aws_region"),
        "endpoint_override": endpoint.split("://")[-1] or None,
        "scheme": "http" if endpoint.startswith("http://") else None,
    }
    store = fs.S3FileSystem(**{name: value for name, value in named.items() if value})
    return fs.SubTreeFileSystem(root.url.removeprefix("s3://"), store)


def _orgs(orgs: list[Org]) -> pa.Table:
    rows = [(org.slug, org.is_unified, org.engagement, org.start_date, org.attribution.window_hours) for org in orgs]
    return _table(("org", "is_unified", "engagement_door", "start_date", "window_hours"), rows, "sbsdi")


def _doors(orgs: list[Org]) -> pa.Table:
    rows = []
    for org in orgs:
        for source in (org.engagement, *org.custom):
            table = DELTA_SHARE if not lands(source) else table_of(org, source)
            rows += [(org.slug, org.start_date, table.name, source)] if table else []
    return _table(("org", "start_date", "asset", "door"), rows, "sdss")


def _templates(orgs: list[Org]) -> pa.Table:
    return _table(
        ("org", "template", "arm", "template_id", "campaign_id", "key_metric", "window_hours", "control_share"),
        [row for org in orgs for row in _arms(org)],
        "ssssssif",
    )


def _arms(org: Org) -> Iterator[tuple[Any, ...]]:
    for one in org.templates:
        metric = metric_of(one.key_metric)
        hours = org.attribution.window_for(event_of(metric)) if is_conversion(metric) else MAX_WINDOW_HOURS
        for arm, ids in (("treatment", one.treatment), ("control", one.control)):
            if ids is not None:
                ours = (ids.template_id, ids.campaign_id, one.key_metric or metric, hours, one.control_share)
                yield org.slug, one.id, arm, *ours


def _event_windows(orgs: list[Org]) -> pa.Table:
    rows = [(org.slug, name, hours) for org in orgs for name, hours in sorted(org.attribution.windows.items())]
    return _table(("org", "event_name", "window_hours"), rows, "ssi")


def _event_classes(orgs: list[Org]) -> pa.Table:
    known = {"engagement": ENGAGEMENT, **{name: one.events for name, one in REACTIONS.items() if one.is_metric}}
    rows = []
    for org in orgs:
        classes = {name: kind for kind, names in known.items() for name in names}
        classes |= dict.fromkeys([*SENDS, *org.attribution.send_events], "send")
        rows += [(org.slug, name, kind) for name, kind in sorted(classes.items())]
    return _table(("org", "event_name", "event_class"), rows, "sss")


def _table(names: tuple[str, ...], rows: list[tuple[Any, ...]], types: str) -> pa.Table:
    import pyarrow as pa

    known = {"s": pa.string(), "b": pa.bool_(), "d": pa.date32(), "i": pa.int32(), "f": pa.float64()}
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in names]
    arrays = [pa.array(values, known[kind]) for values, kind in zip(columns, types, strict=True)]
    return pa.table(dict(zip(names, arrays, strict=True)))


ORG_SOURCES: Final[dict[str, Callable[[list[Org]], Any]]] = {
    "orgs": _orgs,
    "doors": _doors,
    "templates": _templates,
    "event_classes": _event_classes,
    "event_windows": _event_windows,
}
