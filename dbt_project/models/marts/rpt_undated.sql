{{ config(materialized='table', pre_hook=[]) }}
-- Records that were filed without a usable date: they are refused, and belong to no day.
select org, asset, door, reason, sum(records)::bigint as records
from {{ source('lake', 'fates') }}
where event_date is null and fate = 'quarantined' and records > 0
group by org, asset, door, reason
