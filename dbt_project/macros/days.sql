{# True for the rows of the days being rebuilt. #}
{% macro in_days(column) -%}
    {%- set first, last = var('from_date') or '0001-01-01', var('to_date') or '9999-01-01' -%}
    {{ column }} between date '{{ first }}' and date '{{ last }}'
{%- endmacro %}

{# The column that holds a mart's day: the day of the send, or of the event. Null: the mart has no day. #}
{% macro day_column(relation) -%}
    {%- if relation.identifier in ('fct_message_funnel', 'fct_campaign_daily', 'fct_template_daily') -%}
        {{ return('send_date') }}
    {%- endif -%}
    {{ return(none if relation.identifier in ('dim_template', 'rpt_undated') else 'event_date') }}
{%- endmacro %}

{# Before the rows of the days are inserted, what was there goes, in the same transaction. #}
{% macro delete_days() -%}
    {%- if is_incremental() -%}
        delete from {{ this }} where {{ in_days(day_column(this)) }}
    {%- endif -%}
{%- endmacro %}

{# Tests look at the days of the run, as the models do: yesterday's rows were tested yesterday. #}
{% macro get_where_subquery(relation) -%}
    {%- set column = day_column(relation) -%}
    {%- if column is none -%}
        {{ relation }}
    {%- else -%}
        (select * from {{ relation }} where {{ in_days(column) }}) as days_of_the_run
    {%- endif -%}
{%- endmacro %}

{# A share of a count, null over none. #}
{% macro share(part, whole) -%}
    {{ part }}::double / nullif({{ whole }}, 0)
{%- endmacro %}
