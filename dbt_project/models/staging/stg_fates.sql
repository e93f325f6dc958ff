-- What became of the records of a day. Undated records belong to no day and are not here.
select org, event_date, asset, door, fate, reason, records
from {{ source('lake', 'fates') }}
where {{ in_days('event_date') }}
