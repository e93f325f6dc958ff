-- What can follow a message, on the days of the run and the three after them.
{{ events(['org', 'event_timestamp', 'message_id'], ['open', 'click', 'unsubscribe', 'custom'], after=3) }}
