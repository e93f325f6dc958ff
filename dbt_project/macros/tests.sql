{# The columns together occur once; null counts as a value. #}
{% test one_row_per(model, columns) %}
select {{ columns | join(', ') }}, count(*) as found
from {{ model }}
group by all
having count(*) > 1
{% endtest %}
