-- What became of a message within 72 hours of its first send: message_outcomes of all orgs, without the person.
-- Where the source does not tell machines apart, their counts are not known.
select send_date, org, message_id, template_id, campaign_id, sent_at, sends,
    opens, case when is_machine_known then machine_opens end as machine_opens, first_open as first_opened_at,
    clicks, case when is_machine_known then machine_clicks end as machine_clicks, first_click as first_clicked_at,
    attributed_conversions as conversions, first_conversion as first_converted_at,
    unsubscribes, first_unsubscribe as first_unsubscribed_at
from {{ source('lake', 'message_outcomes') }}
where message_id is not null and {{ in_days('send_date') }}
