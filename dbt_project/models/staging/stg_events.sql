-- Every event of the unified stream, with its class, and whether a machine made it where that is known.
-- Engagement of an org with people's keys is read from esp_events, which is the same events with the machine flag.
with classes as (select * from {{ source('lake', 'event_classes') }}),

engagement as (
    select e.org, e.event_name, e.event_timestamp, e.event_date, e.message_id, e.template_id, e.campaign_id,
        e.is_machine, coalesce(c.event_class, 'engagement') as event_class
    from {{ source('lake', 'esp_events') }} as e
    left join classes as c on e.org = c.org and e.event_name = c.event_name
    where {{ in_days('e.event_date', before=3, after=3) }}
),

attributed as (
    select org, event_name, event_timestamp, event_date, message_id, template_id, campaign_id,
        null::boolean as is_machine, 'custom' as event_class
    from {{ source('lake', 'attributed_events') }}
    where is_attributed and {{ in_days('event_date', before=3, after=3) }}
),

passed_through as (
    select u.org, u.event_name, u.event_timestamp, u.event_date, u.message_id, u.template_id, u.campaign_id,
        null::boolean as is_machine, coalesce(c.event_class, 'custom') as event_class
    from {{ source('lake', 'unified_events') }} as u
    left join classes as c on u.org = c.org and u.event_name = c.event_name
    where {{ in_days('u.event_date', before=3, after=3) }}
        and u.org in (select org from {{ source('lake', 'orgs') }} where is_unified)
)

select * from engagement
union all
select * from attributed
union all
select * from passed_through
