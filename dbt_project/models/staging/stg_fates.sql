-- What became of the records of a day. A column that is not read is a remark on a file, no fate of a record. Undated
-- records belong to no day: rpt_undated.
select org, event_date, asset, door, fate, reason, records
from {{ source('lake', 'fates') }}
where fate <> 'unread_column' and {{ in_days('event_date') }}
