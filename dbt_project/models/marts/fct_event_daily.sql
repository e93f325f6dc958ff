{{ config(materialized='by_day', pre_hook=[]) }}
-- By the day an event happened: every event of the unified stream, and the custom events that no message caused.
-- Messages are counted in two steps, because a group can wait on disk and a distinct count cannot.
with by_message as (
    select event_date, org, event_class, event_name, template_id, campaign_id, message_id, count(*) as events
    from {{ ref('stg_events') }}
    where {{ in_days('event_date') }}
    group by event_date, org, event_class, event_name, template_id, campaign_id, message_id
)

select event_date, org, event_class, event_name, template_id, campaign_id,
    null::varchar as reason,
    sum(events)::bigint as events,
    count(message_id) as messages
from by_message
group by event_date, org, event_class, event_name, template_id, campaign_id
union all
select event_date, org, 'custom' as event_class, event_name, null as template_id, null as campaign_id,
    reason,
    count(*) as events,
    0 as messages
from {{ ref('stg_unattributed') }}
group by event_date, org, event_name, reason
