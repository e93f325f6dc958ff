-- What happened to a message within 72 hours of its first send. The day is the day of that send.
with events as (select * from {{ ref('stg_events') }} where message_id is not null),

sends as (
    -- The three days before are read too: a message that was first sent then is not of this day.
    select org, message_id, count(*) as sends,
        min({'at': event_timestamp, 'template_id': template_id, 'campaign_id': campaign_id}) as sent
    from events
    where event_class = 'send'
    group by org, message_id
),

messages as (
    select org, message_id, sent.at as sent_at, cast(sent.at as date) as event_date,
        sent.template_id as template_id, sent.campaign_id as campaign_id, sends
    from sends
    where {{ in_days('cast(sent.at as date)') }}
),

followed as (
    select m.org, m.message_id,
        count(*) filter (where e.event_class = 'open' and e.is_machine is not true) as opens,
        count(*) filter (where e.event_class = 'open' and e.is_machine) as machine_opens,
        min(e.event_timestamp) filter (where e.event_class = 'open' and e.is_machine is not true) as first_opened_at,
        count(*) filter (where e.event_class = 'click' and e.is_machine is not true) as clicks,
        count(*) filter (where e.event_class = 'click' and e.is_machine) as machine_clicks,
        min(e.event_timestamp) filter (where e.event_class = 'click' and e.is_machine is not true) as first_clicked_at,
        count(*) filter (where e.event_class = 'custom') as conversions,
        min(e.event_timestamp) filter (where e.event_class = 'custom') as first_converted_at,
        count(*) filter (where e.event_class = 'unsubscribe') as unsubscribes,
        min(e.event_timestamp) filter (where e.event_class = 'unsubscribe') as first_unsubscribed_at
    from messages as m
    inner join events as e on m.org = e.org and m.message_id = e.message_id
    where e.event_class in ('open', 'click', 'custom', 'unsubscribe')
        and e.event_timestamp >= m.sent_at and e.event_timestamp < m.sent_at + interval 72 hours
    group by m.org, m.message_id
)

select
    m.event_date,
    m.org,
    m.message_id,
    m.template_id,
    m.campaign_id,
    m.sent_at,
    m.sends,
    coalesce(f.opens, 0) as opens,
    coalesce(f.machine_opens, 0) as machine_opens,
    f.first_opened_at,
    coalesce(f.clicks, 0) as clicks,
    coalesce(f.machine_clicks, 0) as machine_clicks,
    f.first_clicked_at,
    coalesce(f.conversions, 0) as conversions,
    f.first_converted_at,
    coalesce(f.unsubscribes, 0) as unsubscribes,
    f.first_unsubscribed_at
from messages as m
left join followed as f on m.org = f.org and m.message_id = f.message_id
