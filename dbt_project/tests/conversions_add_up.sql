{{ config(severity='warn', store_failures=true, meta={'dagster': {'ref': {'name': 'fct_event_daily'}}}) }}
-- Conversions over all templates plus those without a message are the custom events that were taken in.
with counted as (
    select event_date, org, sum(events) as events
    from {{ ref('fct_event_daily') }}
    where event_class = 'custom' and {{ in_days('event_date') }}
    group by event_date, org
),

taken_in as (
    select event_date, org, sum(accepted) as events
    from {{ ref('rpt_org_health') }}
    where asset = 'attributed_events' and {{ in_days('event_date') }}
    group by event_date, org
)

select t.event_date, t.org, t.events as taken_in, c.events as counted
from taken_in as t
left join counted as c on t.event_date = c.event_date and t.org = c.org
where coalesce(c.events, 0) <> t.events
