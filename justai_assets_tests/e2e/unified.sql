-- `events` of an org that joined its custom events itself. Needs the tables `lines` and `drops` (event_name,
-- event_timestamp, message_id, template_id, campaign_id, value).
create or replace table events as
with known as (
    select d.event_name as name, coalesce(g.kind, 'custom') as kind, d.event_timestamp as ts,
        d.message_id, d.template_id, d.campaign_id, null::boolean as is_machine, d.value
    from drops d left join given g on g.event = d.event_name
)
select k.*, case when k.kind = 'custom' then (
        select min(s.ts) from known s
        where s.kind = 'send' and s.message_id = k.message_id and s.ts::date between k.ts::date - 3 and k.ts::date
    ) end as send_at
from known k;

create or replace view calls as
select line ->> '$.body.tracking_id' as message_id, line ->> '$.body.copy_id' as copy_id,
    to_timestamp((line ->> '$.body.event_timestamp')::double) as ts
from lines where json_valid(line) and source = 'generate';
