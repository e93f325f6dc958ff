"""Revenue: what the custom events that followed a message were worth, per message.

A metric `revenue:<event name>` for every counted event of an org that declares `value`. One event name at a time: what
a checkout and a purchase are worth must not be added up. It has one window, the org's own for the name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import polars as pl

from justai_assets.metrics.experiments.analyse import variants_of
from justai_assets.metrics.experiments.arms import ARMS, TREATMENT, Arm
from justai_assets.metrics.experiments.cluster import Moments, design_effect
from justai_assets.metrics.experiments.compare import corrected
from justai_assets.metrics.experiments.means import Day, Paid, compare_means, message_variance
from justai_assets.metrics.experiments.metric import revenue
from justai_assets.metrics.experiments.results import MetricResult, TemplateResult
from justai_assets.metrics.experiments.rules import Rules
from justai_assets.orgs.extra_columns import exact_sum
from justai_assets.orgs.model import Attribution

PAID: Final = pl.Schema(
    {
        "template": pl.String(),
        "arm": pl.String(),
        "copy_id": pl.String(),
        "cohort_date": pl.Date(),
        "user": pl.String(),
        "metric": pl.String(),
        "messages": pl.Int64(),
        "value": pl.Float64(),
        "value_squares": pl.Float64(),
    }
)
"""People known by a key. metric null: the messages sent to a user on a day, in one arm and copy. metric set: what
these brought, and the squares of what each of them brought. Restricted: one row is about one person."""

_ARM: Final = ("template", "arm")
_SUMS: Final = ("users", "messages", "messages_squared", "value", "value_squares", "people_squared", "cross")
_Key = tuple[str, str, str | None, str | None]
AmountSums = dict[_Key, dict[str, float]]


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


def person_amounts(people: pl.LazyFrame) -> AmountSums:
    """Sums over people, in which no person is left, by template, arm, copy (None: the arm) and metric (None: sends).

    Args:
        people: rows of PAID, each person's all of them. The days of one person are added before they are squared.
    """
    found: AmountSums = {}
    known = people.filter(pl.col("copy_id").is_not_null())
    for keys, rows in ((_ARM, people), ((*_ARM, "copy_id"), known)):
        sent = rows.filter(pl.col("metric").is_null()).group_by(*keys, "user").agg(pl.col("messages").sum().alias("m"))
        paid = (
            rows.filter(pl.col("metric").is_not_null())
            .group_by(*keys, "user", "metric")
            .agg(exact_sum(pl.col("value")).alias("x"), exact_sum(pl.col("value_squares")))
        )
        m, x = pl.col("m").cast(pl.Float64), pl.col("x")
        users = sent.group_by(keys).agg(
            pl.len().cast(pl.Float64).alias("users"), m.sum().alias("messages"), (m**2).sum().alias("messages_squared")
        )
        money = (
            paid.join(sent, on=[*keys, "user"])
            .group_by(*keys, "metric")
            .agg(
                exact_sum(x).alias("value"),
                exact_sum(pl.col("value_squares")),
                exact_sum(x**2).alias("people_squared"),
                exact_sum(m * x).alias("cross"),
            )
        )
        for row in pl.concat([users, money], how="diagonal").collect().iter_rows(named=True):
            key = (row["template"], row["arm"], row.get("copy_id"), row.get("metric"))
            found[key] = {name: row[name] or 0.0 for name in _SUMS}
    return found


def added_amounts(parts: Iterable[AmountSums]) -> AmountSums:
    """The sums of disjoint sets of people as sums of them all."""
    found: AmountSums = {}
    for part in parts:
        for key, sums in part.items():
            have = found.setdefault(key, dict.fromkeys(_SUMS, 0.0))
            for name, value in sums.items():
                have[name] += value
    return found


def with_revenue(
    results: Sequence[TemplateResult], rows: pl.DataFrame, people: AmountSums, rules: Rules
) -> tuple[TemplateResult, ...]:
    """The results, each with its revenue metrics, which decide nothing; Holm's correction is over them.

    Args:
        results: as judged.
        rows: COPY_DAILY of the send days that are compared.
        people: the sums of the people behind these; an arm that has none is measured by message.
        rules: thresholds.
    """
    money = rows.filter(pl.col("template").is_not_null(), pl.col("metric").str.starts_with(revenue("")))
    return tuple(replace(one, revenue=_template(one, money, people, rules)) for one in results)


def _template(result: TemplateResult, rows: pl.DataFrame, people: AmountSums, rules: Rules) -> tuple[MetricResult, ...]:
    name = result.plan.template
    since = result.first_day or result.plan.start or date.min
    mine = rows.filter(pl.col("template") == name, pl.col("send_date") >= since)
    # What nobody ever paid for is no metric.
    paid = mine.group_by("metric").agg(pl.col("successes").sum()).filter(pl.col("successes") > 0)["metric"].sort()
    found = [_metric(name, metric, mine.filter(pl.col("metric") == metric), people, rules) for metric in paid]
    family = corrected([one.comparison for one in found])
    return tuple(replace(one, comparison=comparison) for one, comparison in zip(found, family, strict=True))


def _metric(template: str, metric: str, rows: pl.DataFrame, people: AmountSums, rules: Rules) -> MetricResult:
    def arm(name: str, copy_id: str | None = None) -> Paid:
        mine = rows.filter(pl.col("arm") == name)
        mine = mine if copy_id is None else mine.filter(pl.col("copy_id") == copy_id)
        return _paid(mine, people.get((template, name, copy_id, None)), people.get((template, name, copy_id, metric)))

    treatment, control = (arm(name) for name in ARMS)
    copies = sorted(set(rows.filter(pl.col("arm") == TREATMENT)["copy_id"].drop_nulls()))
    against = [compare_means(arm(TREATMENT, copy), control, rules) for copy in copies]
    return MetricResult(
        metric=metric,
        window_hours=rows["window_hours"][0],
        is_own_window=True,
        is_key=False,
        comparison=compare_means(treatment, control, rules),
        power=None,
        detectable_lift=None,
        days_left=None,
        daily=(),
        variants=variants_of(copies, against, rules),
    )


def _paid(rows: pl.DataFrame, sent: Mapping[str, float] | None, paid: Mapping[str, float] | None) -> Paid:
    daily = rows.group_by("send_date").agg(
        pl.col("messages", "successes").sum(), exact_sum(pl.col("value", "value_squares"))
    )
    days: dict[date, Day] = {
        day: (n, value, squares) for day, n, _, value, squares in daily.sort("send_date").iter_rows()
    }
    messages, successes = (int(daily[name].sum()) for name in ("messages", "successes"))
    value, squares = (float(sum(one[at] for one in days.values())) for at in (1, 2))
    if sent is None:
        return Paid(Arm(messages, successes, value=value), days)
    paid = paid or dict.fromkeys(_SUMS, 0.0)
    keyed = int(sent["messages"])
    # A message without a key is a person of its own; where there is none, rounding must not make one up.
    alone = messages - keyed
    sums = Moments(
        users=int(sent["users"]) + alone,
        messages=messages,
        successes=value,
        messages_squared=sent["messages_squared"] + alone,
        successes_squared=paid["people_squared"] + (max(0.0, squares - paid["value_squares"]) if alone else 0.0),
        cross=paid["cross"] + (max(0.0, value - paid["value"]) if alone else 0.0),
        keyed_messages=keyed,
    )
    effect = design_effect(sums, message_variance(messages, value, squares))
    return Paid(Arm(messages, successes, sums.users, effect, keyed, value=value), days)
