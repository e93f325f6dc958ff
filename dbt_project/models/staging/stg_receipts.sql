-- When the records of a day arrived. A Journey webhook has no other time than its receipt; of other doors of custom
-- events the receipt is not kept.
select org, event_date, 'esp_events' as asset, door, event_timestamp, received_at
from {{ source('lake', 'esp_events') }}
where {{ in_days('event_date') }}
union all
select org, event_date, 'custom_events' as asset, door, event_timestamp, event_timestamp as received_at
from {{ source('lake', 'attributed_events') }}
where door = 'journey_webhooks' and {{ in_days('event_date') }}
