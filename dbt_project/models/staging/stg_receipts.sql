-- When the records of a day arrived.
select org, event_date, door, event_timestamp, received_at
from {{ source('lake', 'esp_events') }}
where {{ in_days('event_date') }}
