{{ config(materialized='view', pre_hook=[]) }}
-- The cohorts of a JustAI template, arm by arm; a view, so that a template named today has its past at once.
-- Template and campaign ids that no org file names are left out.
with summed as (
    select c.send_date, c.org, t.template, t.arm,
        sum(c.sent)::bigint as sent,
        sum(c.opened)::bigint as opened,
        sum(c.machine_opened)::bigint as machine_opened,
        sum(c.clicked)::bigint as clicked,
        sum(c.converted)::bigint as converted,
        sum(c.unsubscribed)::bigint as unsubscribed,
        sum(c.conversions)::bigint as conversions
    from {{ ref('fct_campaign_daily') }} as c
    inner join {{ ref('dim_template') }} as t
        on c.org = t.org and c.template_id = t.template_id and c.campaign_id = t.campaign_id
    group by c.send_date, c.org, t.template, t.arm
)

select *,
    {{ share('opened', 'sent') }} as open_rate,
    {{ share('clicked', 'sent') }} as click_rate,
    {{ share('converted', 'sent') }} as conversion_rate,
    {{ share('unsubscribed', 'sent') }} as unsubscribe_rate
from summed
