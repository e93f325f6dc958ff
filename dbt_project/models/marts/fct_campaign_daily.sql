-- By the day a message was sent: only per send cohort is a rate a share of messages.
with summed as (
    select send_date, org, template_id, campaign_id,
        count(*) as sent,
        count(*) filter (where opens > 0) as opened,
        case when count(machine_opens) > 0 then count(*) filter (where opens = 0 and machine_opens > 0) end as machine_opened,
        count(*) filter (where clicks > 0) as clicked,
        count(*) filter (where conversions > 0) as converted,
        count(*) filter (where unsubscribes > 0) as unsubscribed,
        sum(conversions)::bigint as conversions
    from {{ ref('fct_message_funnel') }}
    where {{ in_days('send_date') }}
    group by send_date, org, template_id, campaign_id
)

select *,
    {{ share('opened', 'sent') }} as open_rate,
    {{ share('clicked', 'sent') }} as click_rate,
    {{ share('converted', 'sent') }} as conversion_rate,
    {{ share('unsubscribed', 'sent') }} as unsubscribe_rate
from summed
