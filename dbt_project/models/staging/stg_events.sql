-- Every event of the unified stream on the days of the run, with its class.
{{ events(['org', 'event_name', 'event_date', 'message_id', 'template_id', 'campaign_id'], []) }}
