-- By the day an event happened: every event of the unified stream, and the custom events that no message caused.
-- attribution_metrics repeats engagement for each window, and splits custom events by it: the org's own window is taken.
select m.event_date, m.org,
    coalesce(c.event_class, 'custom') as event_class,
    m.event_name, m.template_id, m.campaign_id,
    null::varchar as reason,
    m.events,
    m.messages
from {{ source('lake', 'attribution_metrics') }} as m
left join {{ source('lake', 'event_classes') }} as c on m.org = c.org and m.event_name = c.event_name
inner join {{ source('lake', 'orgs') }} as o on m.org = o.org
left join {{ source('lake', 'event_windows') }} as w on m.org = w.org and m.event_name = w.event_name
where {{ in_days('m.event_date') }} and m.window_hours = coalesce(w.window_hours, o.window_hours)
    -- Custom events without a message come from below, with their reason; a stream that is unified gives none.
    and (c.event_class is not null or m.attributed_conversions > 0 or o.is_unified)
union all
select event_date, org, 'custom' as event_class, event_name, null as template_id, null as campaign_id,
    reason,
    count(*) as events,
    0 as messages
from {{ ref('stg_unattributed') }}
group by event_date, org, event_name, reason
