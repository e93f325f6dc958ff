-- Is everything in, and did nothing get lost? A row for every day and door that was built, zeros included, and one for
-- every day on which a door of the org should have been.
with fates as (
    select event_date, org, asset, door,
        {% for fate in ('received', 'accepted', 'duplicate', 'quarantined', 'attributed', 'unattributed') -%}
        coalesce(sum(records) filter (where fate = '{{ fate }}'), 0)::bigint as {{ fate }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('stg_fates') }}
    group by event_date, org, asset, door
),

days as (
    select event_date, org, asset, door from fates
    union
    select event_date, org, asset, door from {{ ref('stg_expected') }}
),

receipts as (
    -- Late: received after the day was over. Unknown where the door gives no receipt.
    select event_date, org, asset, door,
        count(received_at) as receipts,
        count(*) filter (where received_at >= cast(event_date + 1 as timestamp) at time zone 'UTC') as late_records,
        max(date_diff('second', event_timestamp, received_at)) as longest_delay_seconds
    from {{ ref('stg_receipts') }}
    group by event_date, org, asset, door
)

select d.event_date, d.org, d.asset, d.door,
    f.received, f.accepted, f.duplicate, f.quarantined, f.attributed, f.unattributed,
    f.received is not null as is_built,
    coalesce(f.received, 0) > 0 as has_records,
    {{ share('f.quarantined', 'f.received') }} as quarantined_share,
    case when r.receipts > 0 then r.late_records end as late_records,
    case when r.receipts > 0 then r.longest_delay_seconds end as longest_delay_seconds
from days as d
left join fates as f on d.event_date = f.event_date and d.org = f.org and d.asset = f.asset and d.door = f.door
left join receipts as r on d.event_date = r.event_date and d.org = r.org and d.asset = r.asset and d.door = r.door
