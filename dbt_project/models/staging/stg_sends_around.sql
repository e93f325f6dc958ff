-- The sends of the days of the run, and of the three before and after them, without what they sent.
{{ events(['org', 'event_timestamp', 'event_date', 'message_id'], ['send'], before=3, after=3) }}
