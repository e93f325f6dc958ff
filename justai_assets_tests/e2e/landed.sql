-- The figures of an org, by SQL over what landed, from nothing of ours but the org file's own words. Needs the tables
-- `given` (event, kind), `own_windows` (event, hours), `arms` (template, arm, template_id, campaign_id), `counted`
-- (event) and either landed lines and drops (joined.sql) or `unified_files`, as the view `events`:
--   name, kind, ts, message_id, template_id, campaign_id, is_machine, value, send_at (of a custom event: of its message)

-- A message is sent again when less than four days lie between: it is the same message, of the day of its first send.
create or replace view sends as
select *, lag(ts) over (partition by message_id order by ts) as before
from events where kind = 'send' and message_id is not null;

create or replace view first_sends as
select message_id, ts as sent_at, ts::date as send_date, template_id, campaign_id, is_machine is not null as is_known
from sends where before is null or date_diff('day', before::date, ts::date) > 3;

create or replace view followed as
select f.message_id, f.send_date, e.name, e.kind, e.value,
    coalesce(e.is_machine, false) as by_machine,
    date_diff('microsecond', f.sent_at, e.ts) / 3600e6 as hours,
    w.hours as own
from first_sends f
join events e on e.message_id = f.message_id and e.ts >= f.sent_at and e.ts < f.sent_at + interval 72 hours
left join own_windows w on w.event = e.name
where e.kind <> 'send';

create or replace view copies as
select f.message_id, f.send_date, max_by(c.copy_id, (c.ts, c.copy_id)) as copy_id
from first_sends f join calls c on c.message_id = f.message_id and c.ts::date between f.send_date - 1 and f.send_date
group by all;

-- One row a message, metric and window: how often, and what it was worth.
create or replace view reached as
select message_id, send_date, 'open' as metric, 72 as window_hours, count(*) as times, null::double as worth
from followed where kind = 'open' and not by_machine group by all
union all
select message_id, send_date, 'machine_open', 72, count(*), null
from followed where kind = 'open' group by all having bool_and(by_machine)
union all
select message_id, send_date, 'click', 72, count(*), null
from followed where kind = 'click' and not by_machine group by all
union all
select message_id, send_date, 'unsubscribe', 72, count(*), null
from followed where kind = 'unsubscribe' group by all
union all
select message_id, send_date, 'any_conversion', 72, count(*), null
from followed where kind = 'custom' and hours < own group by all
union all
select message_id, send_date, 'conversion:' || name, w.window_hours, count(*), null
from followed join metric_windows w on w.metric = 'conversion:' || name
where kind = 'custom' and hours < w.window_hours group by all
union all
select message_id, send_date, 'revenue:' || name, own, count(*) filter (where value > 0), sum(value)
from followed join counted on counted.event = name
where kind = 'custom' and hours < own and value is not null group by all;

create or replace view cells as
select f.send_date, a.template, a.arm, c.copy_id, f.message_id, f.is_known
from first_sends f
join arms a using (template_id, campaign_id)
left join copies c using (message_id, send_date)
union all
select distinct f.send_date, null, null, null, f.message_id, f.is_known
from first_sends f join arms a using (template_id, campaign_id);

create or replace view figures as
select c.send_date, c.template, c.arm, c.copy_id, w.metric, w.window_hours,
    count(*) as messages,
    case when w.metric <> 'machine_open' or bool_or(c.is_known) then count(*) filter (where r.times > 0) end as successes,
    case when w.metric like 'revenue:%' then coalesce(sum(r.worth), 0) end as value,
    case when w.metric like 'revenue:%' then coalesce(sum(r.worth * r.worth), 0) end as value_squares
from cells c
cross join metric_windows w
left join reached r on r.message_id = c.message_id and r.send_date = c.send_date
    and r.metric = w.metric and r.window_hours = w.window_hours
group by c.send_date, c.template, c.arm, c.copy_id, w.metric, w.window_hours;

create or replace view activity as
with placed as (
    select e.ts::date as event_date, h.window_hours, e.name, e.kind, e.is_machine,
        e.kind <> 'custom' or coalesce(e.ts >= e.send_at and e.ts < e.send_at + to_hours(h.window_hours), false) as has_ids,
        e.template_id, e.campaign_id, e.message_id
    from events e cross join (select distinct window_hours from all_windows) h
),
named as (
    select event_date, window_hours, name, kind, is_machine, has_ids,
        case when has_ids then template_id end as template_id,
        case when has_ids then campaign_id end as campaign_id,
        case when has_ids then message_id end as message_id
    from placed
),
of_ids as (
    select event_date, template_id, campaign_id, window_hours,
        count(*) filter (where kind = 'send') as sends,
        count(*) filter (where kind = 'open') as opens,
        case when count(is_machine) > 0 then count(*) filter (where kind = 'open' and is_machine) end as machine_opens,
        count(*) filter (where kind = 'click') as clicks,
        count(*) filter (where kind = 'unsubscribe') as unsubscribes
    from named group by all
)
select n.event_date, n.template_id, n.campaign_id, n.name as event_name, n.window_hours,
    count(*) as events,
    count(distinct n.message_id) as messages,
    count(*) filter (where n.kind = 'custom' and n.has_ids) as attributed_conversions,
    o.sends, o.opens, o.machine_opens, o.clicks, o.unsubscribes
from named n
join of_ids o on o.event_date = n.event_date and o.window_hours = n.window_hours
    and o.template_id is not distinct from n.template_id and o.campaign_id is not distinct from n.campaign_id
group by all;
