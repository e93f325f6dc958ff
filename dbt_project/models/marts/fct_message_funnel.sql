{{ config(materialized='by_day', pre_hook=[], parts=true) }}
-- What happened to a message within 72 hours of its first send. The day is the day of that send: a day with a send that
-- no send of the message on the three days before precedes, so that days built apart equal all days built at once.
with sent as (
    select org, message_id, event_date, count(*) as sends,
        min({'at': event_timestamp, 'template_id': template_id, 'campaign_id': campaign_id}) as first_send
    from {{ ref('stg_sends') }}
    where message_id is not null and {{ in_part('message_id') }}
    group by org, message_id, event_date
),

sent_again as (
    -- Looked up among the day's messages, not gathered over a week: an id that is sent on two days is rare.
    select s.org, s.message_id, s.event_date,
        bool_or(e.event_date < s.event_date) as is_sent_before,
        count(*) filter (where e.event_date > s.event_date and e.event_timestamp < s.first_send.at + interval 72 hours) as sends
    from {{ ref('stg_sends_around') }} as e
    inner join sent as s on e.org = s.org and e.message_id = s.message_id
    where e.event_date <> s.event_date and e.event_date between s.event_date - 3 and s.event_date + 3
    group by s.org, s.message_id, s.event_date
),

messages as (
    select s.org, s.message_id, s.event_date, s.sends + coalesce(a.sends, 0) as sends, s.first_send.at as sent_at,
        s.first_send.template_id as template_id, s.first_send.campaign_id as campaign_id
    from sent as s
    left join sent_again as a on s.org = a.org and s.message_id = a.message_id and s.event_date = a.event_date
    where a.is_sent_before is not true
),

followed as (
    select m.org, m.message_id, m.event_date,
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
    from {{ ref('stg_reactions') }} as e
    inner join messages as m on e.org = m.org and e.message_id = m.message_id
    where e.event_timestamp >= m.sent_at and e.event_timestamp < m.sent_at + interval 72 hours
    group by m.org, m.message_id, m.event_date
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
left join followed as f on m.org = f.org and m.message_id = f.message_id and m.event_date = f.event_date
