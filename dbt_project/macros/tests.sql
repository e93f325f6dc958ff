{# The columns together occur once; null counts as a value. A broken day of one org must not keep the marts of all
   others from being built: the test warns, and its rows are kept, with the org. #}
{% test one_row_per(model, columns) %}
{{ config(severity='warn', store_failures=true) }}
select {{ columns | join(', ') }}, count(*) as found
from {{ model }}
group by all
having count(*) > 1
{% endtest %}
