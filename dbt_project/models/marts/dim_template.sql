{{ config(materialized='table', pre_hook=[]) }}
select
    org, template, arm, template_id, campaign_id, key_metric, window_hours, control_share
from {{ source('lake', 'templates') }}
