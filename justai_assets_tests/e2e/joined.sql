-- `events` of an org whose custom events we join: webhook envelopes, and Parquet files of custom events. Needs the
-- tables `lines` (source, line) and `drops` (ts, name, identity, value).
create or replace view bodies as
select distinct on (line ->> '$.id') source, line -> '$.body' as body, (line ->> '$.received_at')::timestamptz as received_at
from lines where json_valid(line);

create or replace view engagement as
select case when name = 'emailUnSubscribe' then 'emailUnsubscribe' else name end as name, * exclude (name)
from (
    select body ->> '$.eventName' as name,
        strptime(body ->> '$.dataFields.createdAt', '%Y-%m-%d %H:%M:%S %z') as ts,
        body ->> '$.dataFields.messageId' as message_id,
        body ->> '$.dataFields.templateId' as template_id,
        body ->> '$.dataFields.campaignId' as campaign_id,
        lower(trim(body ->> '$.email')) as email,
        trim(body ->> '$.userId') as user_id,
        (body -> '$.dataFields.proxySource') is not null
            or coalesce(body ->> '$.dataFields.isBot', '') = 'true' as is_machine
    from bodies where source = 'iterable_webhooks'
);

create or replace view happened as
select row_number() over () as number, * from (
    select 'signup' as name, received_at as ts, lower(trim(body ->> '$.email')) as email, null as user_id, null::double as value
    from bodies where source = 'journey_webhooks'
    union all
    select name, ts, case when identity like '%@%' then lower(trim(identity)) end,
        case when identity not like '%@%' then trim(identity) end, value
    from drops
);

-- Of the sends of the same person, the latest one at or before the event and less than 72 hours before it.
create or replace view joined as
select distinct on (h.number) h.name, h.ts, h.value, s.message_id, s.template_id, s.campaign_id, s.ts as send_at
from happened h
left join engagement s on s.name = 'emailSend' and (s.email = h.email or s.user_id = h.user_id)
    and s.ts <= h.ts and s.ts > h.ts - interval 72 hours
order by h.number, s.ts desc nulls last, s.message_id desc;

create or replace table events as
select e.name, coalesce(g.kind, 'other') as kind, e.ts, e.message_id, e.template_id, e.campaign_id, e.is_machine,
    null::double as value, null::timestamptz as send_at
from engagement e left join given g on g.event = e.name
union all
select name, 'custom', ts, message_id, template_id, campaign_id, null, value, send_at from joined;

create or replace view calls as
select body ->> '$.tracking_id' as message_id, body ->> '$.copy_id' as copy_id,
    to_timestamp((body ->> '$.event_timestamp')::double) as ts
from bodies where source = 'generate';
