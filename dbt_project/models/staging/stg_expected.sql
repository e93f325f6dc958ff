-- The days of the run on which a door should have been read into a table: from the org's start to the last day that any
-- org has.
with known as (select max(event_date) as last_day from {{ source('lake', 'fates') }})

select org, asset, door, cast(days.day as date) as event_date
from (
    select d.org, d.asset, d.door,
        unnest(generate_series(d.start_date::timestamp, k.last_day::timestamp, interval 1 day)) as day
    from {{ source('lake', 'doors') }} as d
    cross join known as k
) as days
where {{ in_days('cast(days.day as date)') }}
