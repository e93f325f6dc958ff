-- What became of the records of a day. Notes are no fate of a record. Undated records belong to no day:
-- rpt_undated.
select org, event_date, asset, door, fate, reason, records
from {{ source('lake', 'fates') }}
where fate not in ('unread_column', 'placeholder_id', 'placeholder_people', 'shared_id', 'shared_people')
  and {{ in_days('event_date') }}
