"""Running assets without the UI: the same definitions, checks and events, in this process, with progress."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
from dagster._core.utils import make_new_run_id
from rich.console import Console
from rich.markup import escape

from justai_assets.contract.days import Days, neighbours, spans
from justai_assets.contract.errors import JustAIError
from justai_assets.contract.events import LOOKBACK_DAYS
from justai_assets.contract.tables import COPY_DAILY, MESSAGE_OUTCOMES
from justai_assets.dag.headless_run import watched
from justai_assets.dag.instance_home import instance
from justai_assets.dag.location import location
from justai_assets.dag.lookback import Lookback
from justai_assets.dag.lost_runs import worker_tags
from justai_assets.dag.marts_assets import marts_defs, marts_start, parse_project
from justai_assets.dag.org_keys import known_tables
from justai_assets.dag.partitions import range_tags
from justai_assets.dag.resources import Platform
from justai_assets.dag.result_assets import results_keys, results_op
from justai_assets.dag.undated_asset import NAME, refile_undated
from justai_assets.orgs.org_loader import Orgs
from justai_assets.orgs.org_model import Org
from justai_assets.sources.lineage import landed_by_table


def materialize_days(
    org: Org,
    days: Days,
    names: Sequence[str] = (),
    *,
    today: date,
    console: Console | None = None,
    accept_empty: bool = False,
) -> bool:
    """Materialize days of an org's tables as one ranged run, then its undated records; whether all succeeded.

    What the days read of the three days before them is built first, where it never was or where something landed
    since; and later days that stand on sends built anew are built again. So whatever the order in which days are
    asked for, the rows are those of one run over all of them. Both are left to the caller when only some tables are
    asked for and the sends are not among them.

    Args:
        org: the org.
        days: inclusive; all must lie between the org's start and today.
        names: tables; all, and the undated records, when none is named.
        today: the current day in UTC.
        console: where progress and failures are shown (stderr).
        accept_empty: empty days of a door that holds no object any more, instead of failing.

    Raises:
        JustAIError: a day that the org does not have, or a table that it does not have.
    """
    known = known_tables(org, days, names, today=today)
    console = console or Console(stderr=True, highlight=False, soft_wrap=True)
    chosen = set(names or known)
    found_lookback = Lookback.of(org)
    lookback = found_lookback if {found_lookback.base.name, found_lookback.reader.name} <= chosen else None

    resources = {"platform": {"config": {"accept_empty": True}}} if accept_empty else {}

    definitions = _definitions(org, console)

    def run(tables: Iterable[str], some: Days) -> bool:
        keys = [known[name] for name in tables]
        return _execute(definitions, keys, found, console, {"org": org.slug, **range_tags(some)}, resources)

    platform = Platform()
    lake = platform.lake()
    with instance() as found:
        is_done = True
        if not names:
            for door, day, records in refile_undated(org, platform.landing()):
                console.print(f"{door}: {records:,} records that were undated are filed under {day} now")
        if lookback is not None:
            made = [table.name for table in lookback.made]
            needed = lookback.needed(lake, platform.landing(), days)
            if needed:
                console.print(
                    f"first {lookback.base.name} of {spans(needed)}: {days} looks {LOOKBACK_DAYS} days back for sends"
                )
            is_done = all([run(made, some) for some in neighbours(needed)])
        is_done = is_done and run([name for name in known if name in chosen], days)
        if lookback is not None:
            # Also after a failure: what is committed of the sends is what the later days are held against.
            below = [table.name for table in lookback.below if table.name in chosen]
            outdated = lookback.outdated(lake, days, today=today)
            if outdated:
                console.print(
                    f"again {lookback.reader.name} of {spans(outdated)}: the sends they stand on were built since"
                )
            is_done = all([run(below, some) for some in neighbours(outdated)]) and is_done
            after = [name for name in below if name in {MESSAGE_OUTCOMES.name, COPY_DAILY.name}]
            reopened = lookback.reopened(lake, days, today=today) if after else []
            if reopened:
                console.print(f"again {after[0]} of {spans(reopened)}: events around these days were built since")
            is_done = all([run(after, some) for some in neighbours(reopened)]) and is_done
        if is_done and not names and landed_by_table(org):
            is_done = _execute(definitions, [dg.AssetKey([org.slug, NAME])], found, console, {"org": org.slug})
    return is_done


def make_report(org: Org, *, console: Console | None = None, last: date | None = None) -> bool:
    """Judge an org's experiments and write its report, as its assets do; whether it succeeded.

    Args:
        org: the org.
        console: where progress and failures are shown (stderr).
        last: the last send day that is judged; None: the newest one with sends.
    """
    console = console or Console(stderr=True, highlight=False, soft_wrap=True)
    period = {results_op(org): {"config": {"last": str(last)}}} if last else None
    with instance() as found:
        return _execute(_definitions(org, console), results_keys(org), found, console, {"org": org.slug}, ops=period)


def build_marts(orgs: Sequence[Org], days: Days, *, console: Console | None = None) -> bool:
    """Build the marts of days over the orgs as one ranged run of their assets; whether all of it succeeded."""
    console = console or Console(stderr=True, highlight=False, soft_wrap=True)
    first = marts_start(orgs)
    if days.first < first:
        raise JustAIError(f"the marts start on {first}, with the first org", code="marts_days", mend="give later days")
    parse_project()
    marts = marts_defs(orgs)
    definitions = dg.Definitions.merge(
        location(Orgs({org.slug: org for org in orgs}, {}), loggers={"console": _console_logger(console)}), marts
    )
    keys = sorted(key for one in marts.assets or [] if isinstance(one, dg.AssetsDefinition) for key in one.keys)
    with instance() as found:
        return _execute(definitions, keys, found, console, range_tags(days))


def _definitions(org: Org, console: Console) -> dg.Definitions:
    """Everything of one org. Putting it together costs more than a small run: several runs share it."""
    return location(Orgs({org.slug: org}, {}), loggers={"console": _console_logger(console)})


def _execute(
    definitions: dg.Definitions,
    selection: Sequence[dg.AssetKey],
    found: dg.DagsterInstance,
    console: Console,
    tags: dict[str, str],
    resources: Mapping[str, Any] | None = None,
    ops: Mapping[str, Any] | None = None,
) -> bool:
    job = definitions.resolve_implicit_global_asset_job_def()
    run_id = make_new_run_id()
    with watched(found, run_id, pools_of_keys(definitions, selection), lambda text: console.print(text, markup=False)):
        result = job.execute_in_process(
            asset_selection=list(selection),
            instance=found,
            run_id=run_id,
            tags={**tags, **worker_tags()},
            # Named, or Dagster logs every event of the run to the terminal.
            run_config={"loggers": {"console": {}}, "resources": resources or {}, "ops": ops or {}},
            raise_on_error=False,
        )
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error is not None:
            cause = event.step_failure_data.error
            while cause.cause is not None:
                cause = cause.cause
            said = event.step_failure_data.user_failure_data
            text = said.description if said and said.description else cause.message.strip()
            console.print(f"[red]failed[/] {event.step_key}: {escape(text)}", markup=True)
    evaluations = [one for one in result.get_asset_check_evaluations() if not one.passed]
    summed_up = {one.asset_check_key for one in evaluations if one.partition is None}
    for evaluation in evaluations:
        if evaluation.partition is not None and evaluation.asset_check_key in summed_up:
            continue
        # Only a blocking check stops a run: any other says what to look at, and the run is done all the same.
        is_error = evaluation.blocking and evaluation.severity == dg.AssetCheckSeverity.ERROR
        word = "[red]check failed[/]" if is_error else "[yellow]check warns[/]"
        name = "/".join(evaluation.asset_key.path)
        console.print(f"{word} {name} {evaluation.check_name}: {escape(evaluation.description or '')}")
        problems = evaluation.metadata.get("problems")
        if problems is not None:
            console.print(str(problems.value), markup=False)
    return result.success


def pools_of_keys(definitions: dg.Definitions, keys: Sequence[dg.AssetKey]) -> list[str]:
    """The pools of the steps that build some assets."""
    graph = definitions.resolve_asset_graph()
    return sorted({pool for key in keys for pool in graph.get(key).pools or ()})


def _console_logger(console: Console) -> dg.LoggerDefinition:
    """Only what an asset itself says, one line each: Dagster's own event log has its place in the UI."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            meta = getattr(record, "dagster_meta", {})
            if meta.get("dagster_event") is None and record.levelno >= logging.INFO:
                console.print(
                    f"  {meta.get('step_key') or ''} {meta.get('orig_message') or record.getMessage()}", markup=False
                )

    @dg.logger
    def shown(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("justai", level=logging.DEBUG)
        logger.addHandler(Handler())
        return logger

    return shown
