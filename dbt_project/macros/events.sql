{# Events of the unified stream with their class, over all orgs. Engagement of an org with people's keys is read from
   esp_events, which is the same events with the machine flag; `after` and `before` are days around those of the run.
   The small table stands on the right of each join: there DuckDB builds its hash table (profiles.yml). #}
{% macro events(columns, classes, before=0, after=0) -%}
    select e.{{ columns | join(', e.') }}, e.is_machine, coalesce(c.event_class, 'engagement') as event_class
    from {{ source('lake', 'esp_events') }} as e
    left join {{ source('lake', 'event_classes') }} as c on e.org = c.org and e.event_name = c.event_name
    where {{ in_days('e.event_date', before, after) }} and {{ one_of("coalesce(c.event_class, 'engagement')", classes) }}
    {% if not classes or 'custom' in classes -%}
    union all
    select {{ columns | join(', ') }}, null::boolean as is_machine, 'custom' as event_class
    from {{ source('lake', 'attributed_events') }}
    where is_attributed and {{ in_days('event_date', before, after) }}
    {% endif -%}
    union all
    select u.{{ columns | join(', u.') }}, null::boolean as is_machine, coalesce(c.event_class, 'custom') as event_class
    from {{ source('lake', 'unified_events') }} as u
    semi join (select org from {{ source('lake', 'orgs') }} where is_unified) as o on u.org = o.org
    left join {{ source('lake', 'event_classes') }} as c on u.org = c.org and u.event_name = c.event_name
    where {{ in_days('u.event_date', before, after) }} and {{ one_of("coalesce(c.event_class, 'custom')", classes) }}
{%- endmacro %}

{# True for the values of a list; for all of them without one. #}
{% macro one_of(value, wanted) -%}
    {% if wanted %}{{ value }} in ('{{ wanted | join("', '") }}'){% else %}true{% endif %}
{%- endmacro %}
