-- Is everything in, and did nothing get lost? A row for every day that was built, zeros included.
with fates as (
    select event_date, org, asset, door,
        {% for fate in ('received', 'accepted', 'duplicate', 'quarantined', 'attributed', 'unattributed') -%}
        coalesce(sum(records) filter (where fate = '{{ fate }}'), 0)::bigint as {{ fate }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('stg_fates') }}
    group by event_date, org, asset, door
),

receipts as (
    -- Late: received after the day was over. Unknown where the door gives no receipt.
    select event_date, org, door,
        count(received_at) as receipts,
        count(*) filter (where received_at >= cast(event_date + 1 as timestamp) at time zone 'UTC') as late_records,
        max(date_diff('second', event_timestamp, received_at)) as longest_delay_seconds
    from {{ ref('stg_receipts') }}
    group by event_date, org, door
)

select f.event_date, f.org, f.asset, f.door,
    f.received, f.accepted, f.duplicate, f.quarantined, f.attributed, f.unattributed,
    f.received > 0 as has_records,
    {{ share('f.quarantined', 'f.received') }} as quarantined_share,
    case when r.receipts > 0 and f.asset = 'esp_events' then r.late_records end as late_records,
    case when r.receipts > 0 and f.asset = 'esp_events' then r.longest_delay_seconds end as longest_delay_seconds
from fates as f
left join receipts as r on f.event_date = r.event_date and f.org = r.org and f.door = r.door
