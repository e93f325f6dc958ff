"""Revenue: what the custom events that followed a message were worth, per message.

A metric `revenue:<event name>` for every counted event of an org that declares `value`. One event name at a time: what
a checkout and a purchase are worth must not be added up. It has one window, the org's own for the name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import polars as pl

from justai_assets.experiments.analysis import last_closed_day, variants_of
from justai_assets.experiments.arm_pairs import Pair, People, learn, unknown_of
from justai_assets.experiments.arms import ARMS, CONTROL, TREATMENT, Arm
from justai_assets.experiments.comparison import corrected
from justai_assets.experiments.decision_rules import Plan, Rules
from justai_assets.experiments.mean_difference import Day, Paid, compare_means
from justai_assets.experiments.metric_names import revenue
from justai_assets.experiments.result_records import Comparison, MetricResult, TemplateResult
from justai_assets.orgs.extra_columns import exact_sum
from justai_assets.orgs.org_model import Attribution


def revenue_metrics(names: Sequence[str], attribution: Attribution) -> list[tuple[str, int, bool]]:
    """The metrics of some custom events: metric, window_hours, is_own_window."""
    return [(revenue(name), attribution.window_for(name), True) for name in names]


def amounts(
    messages: pl.LazyFrame, keys: Sequence[str], names: Sequence[str], attribution: Attribution
) -> pl.LazyFrame:
    """keys, metric, window_hours, successes, value and value_squares; no row where nothing was paid.

    Args:
        messages: one row a message: keys and `values` (MESSAGE_OUTCOMES).
        keys: what to group by.
        names: the counted events.
        attribution: the org's windows.
    """
    paid = (
        messages.filter(pl.col("values").list.len() > 0)
        .select(*keys, "values")
        .explode("values")
        .unnest("values")
        .filter(pl.col("event_name").is_in(list(names)))
    )
    windows = pl.LazyFrame(
        [(name, *row) for name, row in zip(names, revenue_metrics(names, attribution), strict=True)],
        schema={"event_name": pl.String, "metric": pl.String, "window_hours": pl.Int32, "is_own": pl.Boolean},
        orient="row",
    ).drop("is_own")
    value = pl.col("value")
    return (
        paid.join(windows, on="event_name")
        .group_by(*keys, "metric", "window_hours")
        .agg(
            (value > 0).sum().cast(pl.Int64).alias("successes"),
            exact_sum(value),
            exact_sum(value**2).alias("value_squares"),
        )
    )


def with_revenue(
    results: Sequence[TemplateResult], rows: pl.DataFrame, *, people: People, rules: Rules, now: datetime | None = None
) -> tuple[TemplateResult, ...]:
    """The results, each with its revenue metrics, which decide nothing; Holm's correction is over them.

    Args:
        results: as judged.
        rows: COPY_DAILY, with `cohort_date` for `send_date`.
        people: gives the people behind them, in parts (cluster.py).
        rules: thresholds.
        now: as in `analyse`.
    """
    money = rows.filter(pl.col("template").is_not_null(), pl.col("metric").str.starts_with(revenue("")))
    found = [list(_pairs(result, money, now)) for result in results]
    learn([one.pair for of_template in found for one in of_template], people)
    return tuple(replace(one, revenue=_metrics(mine, rules)) for one, mine in zip(results, found, strict=True))


@dataclass(frozen=True)
class _Money:
    """What two arms brought: their pair, and the sums behind it."""

    pair: Pair
    treatment: Paid
    control: Paid

    @classmethod
    def of(cls, names: dict[str, object], treatment: Paid, control: Paid, plan: Plan) -> _Money:
        both = (TREATMENT, treatment), (CONTROL, control)
        spreads = {(name, day): spread for name, one in both for day, spread in one.spreads().items()}
        return cls(Pair(names, treatment.arm, control.arm, unknown_of(plan), spreads), treatment, control)

    def comparison(self, rules: Rules) -> Comparison:
        treatment, control, _ = self.pair.arms()
        return compare_means(replace(self.treatment, arm=treatment), replace(self.control, arm=control), rules)


def _pairs(result: TemplateResult, money: pl.DataFrame, now: datetime | None) -> Iterator[_Money]:
    """Of each metric both arms, then each copy and the control."""
    plan = result.plan
    mine = money.filter(pl.col("template") == plan.template)
    for (metric, hours), rows in sorted(mine.group_by("metric", "window_hours"), key=lambda one: str(one[0])):
        days = [
            day
            for day in rows["cohort_date"].unique().to_list()
            if day <= last_closed_day(now, int(str(hours))) and day in result.allocation
        ]
        judged = rows.filter(pl.col("cohort_date").is_in(days))
        # What nobody ever paid for is no metric.
        if not judged["successes"].sum():
            continue
        whole = {arm: _paid(judged.filter(pl.col("arm") == arm)) for arm in ARMS}
        treated = judged.filter(pl.col("arm") == TREATMENT, pl.col("copy_id").is_not_null())
        treatments: list[tuple[str | None, Paid]] = [(None, whole[TREATMENT])]
        treatments += [
            (copy, _paid(treated.filter(pl.col("copy_id") == copy))) for copy in sorted(set(treated["copy_id"]))
        ]
        for copy_id, paid in treatments:
            names = {"template": plan.template, "metric": metric, "window_hours": hours, "copy_id": copy_id}
            yield _Money.of(names, paid, whole[CONTROL], plan)


def _metrics(money: Sequence[_Money], rules: Rules) -> tuple[MetricResult, ...]:
    found = []
    for at, whole in enumerate(money):
        names = whole.pair.names
        if names["copy_id"] is not None:
            continue
        copies = [one for one in money[at + 1 :] if one.pair.names["metric"] == names["metric"]]
        against = [one.comparison(rules) for one in copies]
        found.append(
            MetricResult(
                metric=str(names["metric"]),
                window_hours=int(str(names["window_hours"])),
                is_own_window=True,
                is_key=False,
                comparison=whole.comparison(rules),
                people="",
                power=None,
                detectable_lift=None,
                days_left=None,
                daily=(),
                variants=variants_of([str(one.pair.names["copy_id"]) for one in copies], against, rules),
            )
        )
    family = corrected([one.comparison for one in found])
    return tuple(replace(one, comparison=comparison) for one, comparison in zip(found, family, strict=True))


def _paid(rows: pl.DataFrame) -> Paid:
    daily = rows.group_by("cohort_date").agg(
        pl.col("messages", "successes").sum(), exact_sum(pl.col("value", "value_squares"))
    )
    days: dict[date, Day] = {
        day: (n, value, squares) for day, n, _, value, squares in daily.sort("cohort_date").iter_rows()
    }
    messages, successes = (int(daily[name].sum()) for name in ("messages", "successes"))
    value = float(sum(one[1] for one in days.values()))
    return Paid(Arm(messages, successes, days={day: one[:2] for day, one in days.items()}, value=value), days)
