"""The attribution SQL of the product documentation, as a user would run it.

Its slips are fixed: the CTEs it reads but never defines are defined, `event_date` is emitted, the rule decides ties on
send_ts, and a custom event is a row of its own, so that two identical purchases stay two.
"""

from __future__ import annotations

from justai_assets.attribution.rule import Rule

_SQL = """
WITH esp_sends AS (
    SELECT user_id, message_id, template_id, campaign_id, event_timestamp AS send_ts
    FROM {esp} WHERE event_name IN ({send_events})
),
custom_events AS (
    SELECT row_number() OVER ({numbering}) AS event_row, user_id, event_name, event_timestamp AS event_ts,
           {window} AS window_length
    FROM {custom} WHERE {wanted}
),
send_candidates AS (
    SELECT ce.event_row, s.message_id, s.template_id, s.campaign_id,
           ROW_NUMBER() OVER (
               PARTITION BY ce.event_row
               ORDER BY s.send_ts DESC, {ties}
           ) AS rn
    FROM custom_events ce
    JOIN esp_sends s
      ON s.user_id = ce.user_id AND s.send_ts {before} ce.event_ts AND s.send_ts {after} ce.event_ts - ce.window_length
),
best_send AS (SELECT * FROM send_candidates WHERE rn = 1)
SELECT event_name, event_timestamp, CAST(event_timestamp AS DATE) AS event_date, message_id, template_id, campaign_id
FROM {esp} WHERE {wanted}
UNION ALL
SELECT ce.event_name, ce.event_ts, CAST(ce.event_ts AS DATE), b.message_id, b.template_id, b.campaign_id
FROM custom_events ce JOIN best_send b ON b.event_row = ce.event_row
"""


def documented_sql(
    rule: Rule, *, esp: str = "esp", custom: str = "custom", wanted: str = "true", dialect: str = "duckdb"
) -> str:
    """The SQL for a rule over two relations, in a session whose time zone is UTC.

    Args:
        rule: windows and send events.
        esp: relation of engagement events.
        custom: relation of custom events.
        wanted: condition on event_timestamp for the rows to emit.
        dialect: `duckdb` or `spark`.
    """
    sends = ", ".join(_quoted(name) for name in rule.send_events)
    cases = "".join(f"WHEN event_name = {_quoted(name)} THEN {hours} " for name, hours in rule.windows.items())
    hours = f"CASE {cases}ELSE {rule.window_hours} END" if cases else str(rule.window_hours)
    window, numbering = f"to_hours({hours})", ""
    if dialect == "spark":
        window, numbering = f"make_dt_interval(0, {hours})", "ORDER BY event_timestamp"
    # The first row wins here, the last send in the rule's order: each key is turned round.
    ties = ", ".join(f"s.{key.column} {'ASC' if key.is_descending else 'DESC'} NULLS LAST" for key in rule.tie_break)
    before, after = ("<=" if rule.bounds.has_end else "<"), (">=" if rule.bounds.has_start else ">")
    return _SQL.format(
        esp=esp, custom=custom, wanted=wanted, send_events=sends, window=window, numbering=numbering, ties=ties,
        before=before, after=after,
    )  # fmt: skip


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
