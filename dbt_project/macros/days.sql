{# True for the rows of the days being rebuilt. `before` and `after` widen the range by whole days. #}
{% macro in_days(column, before=0, after=0) -%}
    {%- if var('from_date') is not none and var('to_date') is not none -%}
        {{ column }} between (date '{{ var("from_date") }}' - {{ before }}) and (date '{{ var("to_date") }}' + {{ after }})
    {%- else -%}
        {{ column }} is not null
    {%- endif -%}
{%- endmacro %}

{# Before the rows of the days are inserted, what was there goes, in the same transaction. #}
{% macro delete_days() -%}
    {%- if is_incremental() -%}
        delete from {{ this }} where {{ in_days('event_date') }}
    {%- endif -%}
{%- endmacro %}

{# A share of a count, null over none. #}
{% macro share(part, whole) -%}
    {{ part }}::double / nullif({{ whole }}, 0)
{%- endmacro %}
