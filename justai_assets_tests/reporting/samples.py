"""A made-up month of an org, small enough to read and large enough to decide."""

from datetime import UTC, date, datetime, timedelta
from functools import cache

import numpy as np
import polars as pl

from justai_assets.experiments.all_templates import overall
from justai_assets.experiments.analysis import analyse
from justai_assets.experiments.cohort_counts import COUNTS
from justai_assets.experiments.decision_rules import Plan, Rules
from justai_assets.reporting.report_data import (
    ArmFunnel,
    Completeness,
    Fate,
    FunnelDay,
    ReportData,
    Restatement,
)

FIRST, DAYS = date(2026, 1, 1), 20
AT = datetime(2026, 1, 21, 6, 30, tzinfo=UTC)
# per template: messages a day of treatment and control; rates of click, unsubscribe and purchase in each
SPEC = {
    "welcome-email": (9_000, 1_000, (0.062, 0.002, 0.013), (0.050, 0.002, 0.010)),
    "winback": (2_500, 270, (0.031, 0.004, 0.006), (0.042, 0.004, 0.006)),
    "broken": (5_000, 900, (0.1, 0.001, 0.002), (0.1, 0.001, 0.002)),
    "tiny": (70, 8, (0.05, 0.001, 0.01), (0.05, 0.001, 0.01)),
    "solo": (3_000, 0, (0.1, 0.0005, 0.01), None),
}


def sample_counts(seed=1):
    rng, rows = np.random.default_rng(seed), []
    for template, (n1, n0, treated, kept) in SPEC.items():
        for at in range(DAYS):
            for arm, n, rates in (("treatment", n1, treated), ("control", n0, kept)):
                for copy, share in (
                    (("friendly", 0.6), ("urgent", 0.395), ("draft", 0.005)) if arm == "treatment" else ((None, 1),)
                ):
                    k = round(n * share)
                    for metric, rate in zip(("click", "unsubscribe", "conversion:purchase"), rates or (), strict=False):
                        hours = 24 if metric == "conversion:purchase" else 72
                        day, x = FIRST + timedelta(at), int(rng.binomial(k, rate))
                        rows.append((template, arm, metric, hours, True, day, copy, k, x))
                        if hours == 24:
                            rows.append((template, arm, metric, 48, False, day, copy, k, min(k, x + x // 8)))
    return pl.DataFrame(rows, schema=COUNTS, orient="row")


@cache
def sample_arms(name):
    """The funnels of the same arms; `name` is that of the first template."""
    counts = sample_counts().filter(pl.col("is_own_window")).group_by("template", "arm", "metric", "cohort_date")
    sums = counts.agg(pl.col("messages", "successes").sum())
    found = []
    for (template, arm), rows in sums.partition_by("template", "arm", as_dict=True).items():
        days = []
        for (day,), of_day in sorted(rows.partition_by("cohort_date", as_dict=True).items()):
            done = dict(of_day.select("metric", "successes").iter_rows())
            n = of_day["messages"][0]
            days.append(
                FunnelDay(day, n, n // 3, n // 9, done.get("click", 0), done.get("conversion:purchase", 0),
                          done.get("unsubscribe", 0))
            )  # fmt: skip
        found.append(ArmFunnel(((name if template == "welcome-email" else template, arm),), tuple(days)))
    return tuple(
        sorted(found, key=lambda one: (list(SPEC).index(one.roles[0][0]) if one.roles[0][0] in SPEC else 0, one.roles))
    )


@cache
def judged(name):
    """The results with the first template called so; the slow part, done once a name."""
    names = {one: one for one in SPEC} | {"welcome-email": name}
    counts = sample_counts().with_columns(pl.col("template").replace(names))
    plans = [
        Plan(names[one], "conversion:purchase" if one != "winback" else "click", has_control=one != "solo")
        for one in SPEC
    ]
    return analyse(counts, plans)


def sample_report(rename="welcome-email", **changes):
    """A report; `rename` replaces the name of the first template."""
    rules, results = Rules(), judged(rename)
    fields = {
        "org": "acme",
        "generated_at": AT,
        "first_day": FIRST,
        "last_day": FIRST + timedelta(DAYS - 1),
        "rules": rules,
        "templates": results,
        "overall": overall(results, rules),
        "arms": sample_arms(rename),
        "completeness": (Completeness("iterable_webhooks", DAYS, DAYS - 1, FIRST + timedelta(DAYS - 1), 7),),
        "fates": (
            Fate("esp_events", "iterable_webhooks", "received", None, 1_243),
            Fate("esp_events", "iterable_webhooks", "accepted", None, 1_000),
            Fate("esp_events", "iterable_webhooks", "duplicate", None, 230),
            Fate("esp_events", "iterable_webhooks", "quarantined", "bad_timestamp", 13),
        ),
        "restatements": (
            Restatement(AT, FIRST, "winback", "clicks", 1_204, 1_260, ("webhooks/iterable/acme/a.jsonl.zst",)),
            Restatement(AT, FIRST, "tiny", "clicks", 3, 4, ("webhooks/iterable/acme/b.jsonl.zst",)),
        ),
        "previous_at": AT - timedelta(days=1),
    }
    return ReportData(**(fields | changes))
