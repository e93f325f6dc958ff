"""Tables for people at a terminal: what won, and what became of every record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from justai_assets.contract.days import Days, spans
from justai_assets.contract.events import MAX_WINDOW_HOURS
from justai_assets.contract.tables import EXPERIMENT_RESULTS, TABLES, UNIFIED_EVENTS
from justai_assets.experiments.arms import ARMS, TREATMENT
from justai_assets.experiments.copy_daily import ANY_CONVERSION, copy_counts
from justai_assets.experiments.false_discovery import DECIDED_ALONE
from justai_assets.experiments.metric_names import CLICK, OPEN, is_conversion, label, metric_of, revenue
from justai_assets.experiments.results_table import FALSE_DISCOVERY_RATE
from justai_assets.lake.built_days import BuiltDays
from justai_assets.lake.ledger import (
    ACCEPTED,
    ATTRIBUTED,
    DUPLICATE,
    QUARANTINED,
    RECEIVED,
    UNATTRIBUTED,
    read_fates,
    read_undated_fates,
    total,
)
from justai_assets.lake.store import Lake
from justai_assets.orgs.extra_columns import exact_sum, has_value
from justai_assets.orgs.org_model import Org
from justai_assets.orgs.templates import Template
from justai_assets.settings import Settings
from justai_assets.sources.lineage import org_tables
from justai_assets.storage import Root

_FATES = (RECEIVED, ACCEPTED, DUPLICATE, QUARANTINED, ATTRIBUTED, UNATTRIBUTED)
_PIPED_WIDTH = 124


def output() -> Console:
    """Standard output; piped output is as wide as the tables want."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPED_WIDTH)


def show_fates(settings: Settings, orgs: Sequence[Org], days: Days, console: Console) -> None:
    """Print what became of every record of the days, by table and source, and below it why."""
    lake = Lake(Root.parse(settings.lake))
    table = _table(f"What became of every record, {days}", "table", "from", *_FATES)
    order = {name: index for index, name in enumerate(TABLES)}
    why: list[str] = []
    for org in orgs:
        fates = pl.concat([read_fates(lake, org.slug, days), _undated(lake, org.slug)])
        groups = fates.partition_by("asset", "door", as_dict=True, maintain_order=True)
        for (asset, door), rows in sorted(groups.items(), key=lambda item: (order[item[0][0]], item[0][1])):
            present = set(rows["fate"])
            cells = [f"{total(rows, fate):,}" if fate in present else "" for fate in _FATES]
            table.add_row(f"{org.slug}/{asset}", str(door), *cells)
            why += [f"{org.slug}/{asset} from {door}: {line}" for line in _reasons(rows)]
        for name in org_tables(org):
            if torn := [day for day in BuiltDays.of(lake, org.slug, name).torn if day in days]:
                why.append(
                    f"{org.slug}/{name.name} of {spans(torn)}: a run ended between its commits; not counted here"
                )
    console.print(table)
    for line in why:
        console.print(f"  {line}", markup=False, soft_wrap=True)


def show_caused(settings: Settings, slug: str, message_id: str, request: str, console: Console) -> bool:
    """Print the custom events of unified_events that a message caused, under the request that brought them in."""
    events = Lake(Root.parse(settings.lake)).scan(slug, UNIFIED_EVENTS).filter(pl.col("message_id") == message_id)
    columns = ("event_timestamp", "event_name", "template_id", "campaign_id", "message_id")
    found = events.select(columns).sort("event_timestamp").collect()
    console.print("From the HTTP door to the unified stream", style="bold")
    console.print(f"  {request}", markup=False, soft_wrap=True)
    for at, *rest in found.rows():
        console.print(f"  → {at:%Y-%m-%d %H:%M:%S}Z  " + "  ".join(map(str, rest)), markup=False, soft_wrap=True)
    console.print()
    is_attributed = found.height > 1
    if not is_attributed:
        console.print("  the event is not there", style="red")
    return is_attributed


def show_templates(settings: Settings, orgs: Sequence[Org], days: Days, console: Console) -> None:
    """Print, per template and arm, messages, opens, clicks and conversions with their rates, and the lift.

    Messages and what followed them are copy_daily's over the send days; conversions are those of the template's key
    metric, within the org's own window for it. The lift is that of experiment_results on the last of the days, which is
    over the whole test, and over no send whose window is still open: a line below the table says up to which day.
    """
    lake = Lake(Root.parse(settings.lake))
    judged_until: list[str] = []
    names = ("template", "key metric", "arm", "sends", "opens", "clicks", "conversions", "lift")
    table = _table(f"What won, sends of {days}", *names, left=3)
    for org in orgs:
        rows = copy_counts(org, lake, days)
        judged = lake.scan(org.slug, EXPERIMENT_RESULTS, Days(days.last, days.last))
        judged = judged.filter(pl.col("is_key"), pl.col("copy_id").is_null())
        found = {row["template"]: row for row in judged.collect().iter_rows(named=True)}
        for template in org.templates:
            result = found.get(template.id, {"lift": None, "last_day": None})
            for cells in _template_rows(org, template, rows, result["lift"]):
                table.add_row(*cells)
            if result["lift"] is not None and result["last_day"] != days.last:
                judged_until.append(f"{org.slug}/{template.id} {result['last_day']}")
    console.print(table)
    if judged_until:
        said = f"The lift is over the sends whose window is over, up to: {', '.join(judged_until)}.\n"
        console.print(said, markup=False, soft_wrap=True)


def show_revenue(settings: Settings, orgs: Sequence[Org], days: Days, console: Console) -> None:
    """Print, per template, event and arm, what the messages brought, and the lift; nothing where no org declares it.

    Amounts are copy_daily's over the send days; the lift is that of experiment_results, over the whole test.
    """
    lake = Lake(Root.parse(settings.lake))
    names = ("template", "event", "arm", "sends", "that brought any", "together", "a message", "lift")
    table = _table(f"What it brought, sends of {days}", *names, left=3)
    for org in (one for one in orgs if has_value(one)):
        rows = copy_counts(org, lake, days).filter(pl.col("metric").str.starts_with(revenue("")))
        judged = lake.scan(org.slug, EXPERIMENT_RESULTS, Days(days.last, days.last))
        found = judged.filter(pl.col("copy_id").is_null()).select("template", "metric", "lift").collect()
        lifts = {(template, metric): lift for template, metric, lift in found.iter_rows()}
        sums = rows.group_by("template", "metric", "arm").agg(
            pl.col("messages", "successes").sum(), exact_sum(pl.col("value"))
        )
        # An arm that brought nothing stands beside one that brought something.
        sums = sums.filter((pl.col("successes").sum() > 0).over("template", "metric"))
        for template, metric, arm, messages, brought, value in sums.sort(
            "template", "metric", "arm", descending=[False, False, True]
        ).iter_rows():
            if template is None:
                continue
            lift = lifts.get((template, metric)) if arm == TREATMENT else None
            table.add_row(
                f"{org.slug}/{template}", metric.removeprefix(revenue("")), arm, f"{messages:,}", f"{brought:,}",
                f"{value:,.2f}", f"{value / messages:,.4f}", "" if lift is None else f"{lift:+.0%}",
            )  # fmt: skip
    if table.row_count:
        console.print(table)


def show_decisions(settings: Settings, orgs: Sequence[Org], days: Days, console: Console) -> None:
    """Print the decision on every template, in a sentence, as experiment_results has it for the last of the days."""
    lake = Lake(Root.parse(settings.lake))
    console.print(f"What to do, after sends up to {days.last}\n", markup=False)
    for org in orgs:
        rows = lake.scan(org.slug, EXPERIMENT_RESULTS, Days(days.last, days.last)).collect()
        sentences = dict(rows.select("template", "decision").unique(maintain_order=True).iter_rows())
        for template in org.templates:
            said = sentences.get(template.id, "not judged yet")
            console.print(f"  {org.slug}/{template.id}: {said}", markup=False, soft_wrap=True)
        together = rows.filter(pl.col("reason") == FALSE_DISCOVERY_RATE)["decision"].to_list()
        for said in together or [DECIDED_ALONE] * (len(org.templates) > 1):
            console.print(f"  {org.slug}: {said}", markup=False, soft_wrap=True)
    console.print()


def _undated(lake: Lake, slug: str) -> pl.DataFrame:
    """Fates of records without a day, with the door marked so; none when there are none."""
    rows = read_undated_fates(lake, slug)
    some = rows.group_by("door").agg(pl.col("records").sum()).filter(pl.col("records") > 0)["door"]
    return rows.filter(pl.col("door").is_in(some.implode())).with_columns(pl.col("door") + ", no date")


def _reasons(rows: pl.DataFrame) -> Iterable[str]:
    with_reason = rows.filter(pl.col("reason").is_not_null() & (pl.col("records") > 0))
    for (fate,), some in with_reason.partition_by("fate", as_dict=True, maintain_order=True).items():
        counts = (
            some.group_by("reason").agg(pl.col("records").sum()).sort("records", "reason", descending=[True, False])
        )
        yield f"{fate} " + ", ".join(f"{reason} {records:,}" for reason, records in counts.iter_rows())


def _template_rows(org: Org, template: Template, rows: pl.DataFrame, lift: float | None) -> Iterable[list[str]]:
    metric = metric_of(template.key_metric)
    own = org.attribution.window_for(template.key_metric or "") if is_conversion(metric) else MAX_WINDOW_HOURS
    shown = (OPEN, CLICK, metric if is_conversion(metric) else ANY_CONVERSION)
    mine = rows.filter(pl.col("template") == template.id, "is_own_window")
    for name in ARMS if template.control else (TREATMENT,):
        sums = mine.filter(pl.col("arm") == name).group_by("metric").agg(pl.col("messages", "successes").sum())
        counts = {one: (messages, successes) for one, messages, successes in sums.iter_rows()}
        sends = counts.get(OPEN, (0, 0))[0]
        is_first = name == TREATMENT
        yield [
            f"{org.slug}/{template.id}" if is_first else "",
            f"{label(metric)} in {own} h" if is_first else "",
            name,
            f"{sends:,}",
            *(_share(counts.get(one, (0, 0))[1], sends) for one in shown),
            ("–" if lift is None else f"{lift:+.0%}") if is_first else "",
        ]


def _share(count: int, sends: int) -> str:
    return f"{count:,} {count / sends:7.2%}" if sends else f"{count:,}"


def _table(title: str, *columns: str, left: int = 2) -> RichTable:
    table = RichTable(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for index, name in enumerate(columns):
        table.add_column(name, justify="left" if index < left else "right", no_wrap=True)
    return table
