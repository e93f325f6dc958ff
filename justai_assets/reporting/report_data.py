"""What a report is made of: aggregates, and nothing per person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from justai_assets.experiments.all_templates import OverallResult
from justai_assets.experiments.decision_rules import Rules
from justai_assets.experiments.false_discovery import Discoveries
from justai_assets.experiments.result_records import TemplateResult

MINIMUM_CELL: Final = 20


@dataclass(frozen=True)
class FunnelDay:
    """One send cohort: what became of the messages sent on a day (UTC). Every number counts messages.

    Attributes:
        day: day of the sends.
        sent: messages sent.
        opened: opened by a person at least once.
        machine_opened: opened by mail proxies or bots only; None where the door does not say.
        clicked: clicked at least once, by a person.
        converted: followed by at least one conversion within the org's window.
        unsubscribed: followed by an unsubscribe.
    """

    day: date
    sent: int
    opened: int
    machine_opened: int | None
    clicked: int
    converted: int
    unsubscribed: int


@dataclass(frozen=True)
class ArmFunnel:
    """The funnel of one arm, which several templates may have.

    Attributes:
        roles: (template, `treatment` or `control`) of each template that has it.
        days: send days, in order.
    """

    roles: tuple[tuple[str, str], ...]
    days: tuple[FunnelDay, ...]


@dataclass(frozen=True)
class Completeness:
    """How much of the period a door has delivered.

    Attributes:
        door: name of the door or asset.
        days_expected: days of the period.
        days_received: days among them with at least one record.
        latest_day: last day with a record; None without any.
        late_records: records that arrived after their day was over (UTC); None where the receipt is not known.
    """

    door: str
    days_expected: int
    days_received: int
    latest_day: date | None
    late_records: int | None = None


@dataclass(frozen=True)
class Fate:
    """How many records of an asset met a fate in the period; fates and reasons as in contract/tables.py (FATES)."""

    asset: str
    door: str
    fate: str
    reason: str | None
    records: int


@dataclass(frozen=True)
class Restatement:
    """A number of a closed send cohort that moved after it was first given.

    Attributes:
        restated_at: when it was computed anew, UTC.
        send_date: the day of the sends that the number is about.
        template: template id, and the arm and copy where they matter.
        metric: what is counted.
        before: the old count; None of what messages brought: what moved an amount may be a single order.
        after: the new count; None as before.
        files: the landing files that caused it.
    """

    restated_at: datetime
    send_date: date
    template: str
    metric: str
    before: int | None
    after: int | None
    files: tuple[str, ...]


@dataclass(frozen=True)
class ReportData:
    """Everything one report shows.

    Attributes:
        org: slug.
        generated_at: when the numbers were computed, UTC.
        first_day: first send day that the funnel shows; a template may be judged from an earlier day on.
        last_day: last send day.
        rules: thresholds the experiments were judged by.
        templates: in the order shown.
        overall: all templates together (experiments/overall.py).
        discoveries: which templates differ at a false-discovery rate; None where the org file names none.
        arms: the funnels of the templates' arms; no message is in two of them.
        completeness: by door.
        fates: by asset, door, fate and reason.
        restatements: since the last report, newest first.
        previous_at: when the last report was made; None for the first one.
        minimum_cell: counts of 1 up to below this are hidden or merged with their neighbours.
        is_chosen: the days were chosen by hand, and the templates judged over them alone.
    """

    org: str
    generated_at: datetime
    first_day: date
    last_day: date
    rules: Rules
    templates: tuple[TemplateResult, ...]
    overall: tuple[OverallResult, ...] = ()
    discoveries: Discoveries | None = None
    arms: tuple[ArmFunnel, ...] = ()
    completeness: tuple[Completeness, ...] = ()
    fates: tuple[Fate, ...] = ()
    restatements: tuple[Restatement, ...] = ()
    previous_at: datetime | None = None
    minimum_cell: int = MINIMUM_CELL
    is_chosen: bool = False
