-- Custom events that no message caused, with the reason.
select org, event_name, event_date, reason
from {{ source('lake', 'attributed_events') }}
where not is_attributed and {{ in_days('event_date') }}
