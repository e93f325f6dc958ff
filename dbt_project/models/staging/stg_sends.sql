-- The sends of the days of the run.
{{ events(['org', 'event_timestamp', 'event_date', 'message_id', 'template_id', 'campaign_id'], ['send']) }}
