{{ config(severity='warn', store_failures=true) }}
-- Every record has exactly one fate. unified_events is made of two tables, so its sum is over both.
select event_date, org, asset, sum(received) as received, sum(accepted + duplicate + quarantined) as accounted
from {{ ref('rpt_org_health') }}
where {{ in_days('event_date') }}
group by event_date, org, asset
having sum(received) <> sum(accepted + duplicate + quarantined)
