{# True for the rows of the days being rebuilt. `before` and `after` move its ends by whole days.
   A model that is built day by day (by_day.sql) narrows the days to one by a variable of the session. #}
{% macro in_days(column, before=0, after=0) -%}
    {%- set first, last = var('from_date') or '0001-01-01', var('to_date') or '9999-01-01' -%}
    {{ column }} between coalesce(getvariable('day'), date '{{ first }}') - {{ before }}
        and coalesce(getvariable('day'), date '{{ last }}') + {{ after }}
{%- endmacro %}

{# Before the rows of the days are inserted, what was there goes, in the same transaction. #}
{% macro delete_days() -%}
    {%- if is_incremental() -%}
        delete from {{ this }} where {{ in_days('event_date') }}
    {%- endif -%}
{%- endmacro %}

{# Tests look at the days of the run, as the models do: yesterday's rows were tested yesterday. #}
{% macro get_where_subquery(relation) -%}
    {%- if relation.identifier not in ('dim_template', 'rpt_undated') -%}
        (select * from {{ relation }} where {{ in_days('event_date') }}) as days_of_the_run
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}

{# A share of a count, null over none. #}
{% macro share(part, whole) -%}
    {{ part }}::double / nullif({{ whole }}, 0)
{%- endmacro %}
