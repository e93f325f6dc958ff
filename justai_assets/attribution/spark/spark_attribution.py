"""Days of attributed_events in Spark: row for row what `attribution.day` gives.

Like the engine, a day sees the engagement of itself and the three days before, and no other. All days of a range are
one plan: an engagement row goes to each of the (at most four) days that may see it, and whatever is grouped is grouped
within a day.

Sends and custom events of a person lie on one time line, a send before the events of its own microsecond where the
rule's window has its end, equal send times in the order of the rule's tie-break. The last send before an event is
carried along: linear, however many events a person has. Time is compared in microseconds since 1970, so that the
session's time zone does not matter.
"""

from __future__ import annotations

import operator
from datetime import date, timedelta
from typing import Any

from justai_assets.attribution.spark.components import people
from justai_assets.attribution.spark.job_tables import DataFrame, Scratch, Tables
from justai_assets.attribution.spark.task import Task
from justai_assets.contract.events import LOOKBACK_DAYS, MAX_WINDOW_HOURS
from justai_assets.contract.reasons import NO_IDENTITY, NO_SEND, OUTSIDE_WINDOW

_HOUR = 3_600_000_000
_IDS = ("message_id", "template_id", "campaign_id")
_SALTS = 1000
"""Groups for events without a person, which would otherwise be one group on one core."""


Notes = dict[date, dict[str, tuple[int, int]]]
"""Day → kind of id → the day's events that carry a shared one, and the people who share them; where there are any."""


def attributed(tables: Tables, task: Task, scratch: Scratch) -> tuple[DataFrame, Notes]:
    """Every custom event of the task's days exactly once, with the target's columns; and what to note of the days."""
    from pyspark.sql import functions as F

    engagement = _by_day(tables.read("esp_events", task.lo - timedelta(days=LOOKBACK_DAYS), task.hi), task)
    custom = tables.read("custom_events", task.lo, task.hi).drop("template_id")
    linked = engagement.where("email_key IS NOT NULL AND user_key IS NOT NULL")
    found_people = people(
        linked.select("for_day", _node("email_key").alias("email"), _node("user_key").alias("user")), scratch
    )
    persons, shared = found_people.persons, found_people.shared

    is_send = F.col("event_name").isin(*task.send_events)
    sends = _named(_named(engagement.where(is_send), "email_key", shared), "user_key", shared).select(
        # The keys of an engagement row are one person, so either will do.
        F.coalesce(_node("email_key"), _node("user_key")).alias("node"),
        F.unix_micros("event_timestamp").alias("ts"),
        *_IDS,
    )
    sends = _resolved(sends.where("node IS NOT NULL"), persons, "node", "person").drop("node")
    events = custom.withColumn("for_day", F.col("event_date")).withColumn("ts", F.unix_micros("event_timestamp"))
    with_one = {"email": _carrying(events, "email_key", shared), "user id": _carrying(events, "user_key", shared)}
    notes = {
        day: {kind: (with_one[kind].get(day, 0), others) for kind, others in kinds.items()}
        for day, kinds in found_people.sharing.items()
    }
    events = _named(_named(events, "email_key", shared), "user_key", shared)
    events = events.select("*", _node("email_key").alias("by_email"), _node("user_key").alias("by_user")).drop(
        "for_day"
    )
    events = _resolved(events, persons, "by_email", "email_person")
    events = _resolved(events, persons, "by_user", "user_person").drop("by_email", "by_user")
    # An event whose two keys belong to two persons takes the best send of either.
    second = F.when(F.col("email_person") != F.col("user_person"), F.col("user_person"))
    events = scratch.cut(
        events.withColumn("first", F.coalesce("email_person", "user_person"))
        .withColumn("second", second)
        .drop("email_person", "user_person")
    )
    found = _latest(events, sends, "first", task).withColumnRenamed("best", "best_first")
    if events.where("second IS NOT NULL").head(1):
        found = _latest(found, sends, "second", task)
        is_first = F.col("best").isNull() | _is_later("best_first", "best", task)
        found = found.withColumn("best", F.when(is_first, F.col("best_first")).otherwise(F.col("best")))
    else:
        found = found.withColumnRenamed("best_first", "best")
    return _judged(found, task), notes


def _by_day(engagement: DataFrame, task: Task) -> DataFrame:
    from pyspark.sql import functions as F

    first = F.greatest(F.col("event_date"), F.lit(task.lo))
    last = F.least(F.date_add("event_date", LOOKBACK_DAYS), F.lit(task.hi))
    columns = ("event_name", "event_timestamp", "email_key", "user_key", *_IDS)
    return engagement.select(*columns, F.explode(F.sequence(first, last)).alias("for_day"))


def _node(key: str) -> Any:
    """A key as a node of its day: equal digits of an email key and a user key are two."""
    from pyspark.sql import functions as F

    return F.concat(F.col("for_day").cast("string"), F.lit(f":{key[0]}:"), F.col(key))


def _named(frame: DataFrame, key: str, shared: DataFrame | None) -> DataFrame:
    """The rows, with null for a key that is shared by too many."""
    from pyspark.sql import functions as F

    if shared is None:
        return frame
    many = F.broadcast(shared.select(F.col("node").alias("shared_node")))
    joined = frame.join(many, _node(key) == F.col("shared_node"), "left")
    return joined.withColumn(key, F.when(F.col("shared_node").isNull(), F.col(key))).drop("shared_node")


def _carrying(events: DataFrame, key: str, shared: DataFrame | None) -> dict[date, int]:
    """Events by day that carry a key which is shared by too many."""
    from pyspark.sql import functions as F

    if shared is None:
        return {}
    carrying = events.join(F.broadcast(shared), _node(key) == F.col("node"), "semi")
    return {row["for_day"]: row["count"] for row in carrying.groupBy("for_day").count().collect()}


def _resolved(frame: DataFrame, persons: DataFrame, node: str, name: str) -> DataFrame:
    """With the person of a node: itself where no link names it, null where it is null."""
    from pyspark.sql import functions as F

    known = persons.select(F.col("node").alias("known_node"), F.col("person").alias("known_person"))
    joined = frame.join(known, F.col(node) == F.col("known_node"), "left")
    return joined.withColumn(name, F.coalesce("known_person", node)).drop("known_node", "known_person")


def _is_later(one: str, other: str, task: Task) -> Any:
    """Whether a send comes after another one in the rule's order; not where there is none."""
    from pyspark.sql import functions as F

    later = F.lit(False)
    for column, is_descending in reversed((("ts", False), *task.tie_break)):
        mine, its = F.col(f"{one}.{column}"), F.col(f"{other}.{column}")
        beyond = (mine < its) if is_descending else (mine > its)
        # Null comes first, whichever way the others go.
        beyond = F.coalesce(beyond, mine.isNotNull() & its.isNull())
        later = beyond | (mine.eqNullSafe(its) & later)
    return later


def _latest(events: DataFrame, sends: DataFrame, person: str, task: Task) -> DataFrame:
    """The events, each with its person's latest prior send as `best`: a struct of ts and ids, or null."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    nobody = F.concat(F.lit("-"), F.pmod(F.xxhash64("ts", "source_file", "source_row", "event_id"), F.lit(_SALTS)))
    nothing = [F.lit(None).cast("string").alias(name) for name in _IDS]
    happened = events.select(
        F.coalesce(F.col(person), nobody).alias("who"),
        F.col("ts").alias("at"),
        F.lit(1).alias("is_event"),
        *nothing,
        F.struct(*events.columns).alias("event"),
    )
    sent = sends.select(F.col("person").alias("who"), F.col("ts").alias("at"), F.lit(0).alias("is_event"), *_IDS)
    line = happened.unionByName(sent, allowMissingColumns=True)
    ties = [
        F.col(name).desc_nulls_first() if is_descending else F.col(name).asc_nulls_first()
        for name, is_descending in task.tie_break
    ]
    order = [F.col("at"), F.col("is_event").asc() if task.has_end else F.col("is_event").desc(), *ties]
    so_far = Window.partitionBy("who").orderBy(*order).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    send = F.struct(F.col("at").alias("ts"), *_IDS)
    best = F.last(F.when(F.col("is_event") == 0, send), ignorenulls=True).over(so_far)
    return line.withColumn("best", best).where("is_event = 1").select("event.*", "best")


def _judged(found: DataFrame, task: Task) -> DataFrame:
    from pyspark.sql import functions as F

    window = F.lit(task.window_hours)
    for name, hours in sorted(task.windows.items()):
        window = F.when(F.col("event_name") == F.lit(name), F.lit(hours)).otherwise(window)
    age = F.col("ts") - F.col("best.ts")
    counts = operator.le if task.has_start else operator.lt
    attributed = F.coalesce(counts(age, window * F.lit(_HOUR)), F.lit(False))
    is_known = counts(age, F.lit(MAX_WINDOW_HOURS * _HOUR))
    reason = (
        F.when(attributed, F.lit(None).cast("string"))
        .when(F.col("email_key").isNull() & F.col("user_key").isNull(), F.lit(NO_IDENTITY))
        .when(F.col("best").isNotNull(), F.lit(OUTSIDE_WINDOW))
        .otherwise(F.lit(NO_SEND))
    )
    computed = {
        "window_hours": window,
        "is_attributed": attributed,
        "reason": reason,
        "send_timestamp": F.when(is_known, F.timestamp_micros("best.ts")),
        **{name: F.when(is_known, F.col(f"best.{name}")) for name in _IDS},
    }
    return found.select([computed.get(name, F.col(name)).alias(name) for name in task.target.columns])
