{# Builds a table one day after the other: a day's rows replace what was there, and memory holds a day at a time, however
   many days a run has. All days are one transaction. Where a day of all orgs has many events, the model is run over
   parts of its messages, if it asks `in_part` (config `parts: true`). dbt's microbatch would be a transaction, and a
   reading of the sources, a day. #}
{% materialization by_day, adapter='duckdb', supported_languages=['sql'] %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- set found = run_query(days_with_events()) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none and (existing.type != 'table' or should_full_refresh()) -%}
        {%- do adapter.drop_relation(existing) -%}
        {%- set existing = none -%}
    {%- endif -%}
    {%- if existing is none -%}
        {%- do run_query('create table ' ~ target ~ ' as select * from (' ~ sql ~ ') limit 0') -%}
    {%- else -%}
        {%- do run_query('delete from ' ~ target ~ ' where ' ~ in_days('event_date')) -%}
        {%- set known = adapter.get_columns_in_relation(target) | map(attribute='name') | list -%}
        {%- set added = [] -%}
        {%- for column in get_column_schema_from_query(sql) if column.name not in known -%}
            {%- do added.append(column) -%}
        {%- endfor -%}
        {%- if added -%}{%- do alter_relation_add_remove_columns(target, added, none) -%}{%- endif -%}
    {%- endif -%}
    {%- for day, events in found.rows -%}
        {%- set parts = (events // var('events_a_part') + 1) | int if config.get('parts') else 1 -%}
        {%- for part in range(parts) -%}
            {%- do run_query("set variable day = date '" ~ day ~ "'") -%}
            {%- do run_query('set variable parts = ' ~ parts) -%}
            {%- do run_query('set variable part = ' ~ part) -%}
            {%- do run_query('insert into ' ~ target ~ ' by name ' ~ sql) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for name in ('day', 'parts', 'part') -%}
        {%- do run_query('reset variable ' ~ name) -%}
    {%- endfor -%}
    {%- call statement('main') -%}
        analyze {{ target }}
    {%- endcall -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# The days of the run that hold events, in order, with how many. #}
{% macro days_with_events() -%}
    select event_date, sum(events)::bigint as events
    from (
        {% for table in ('esp_events', 'attributed_events', 'unified_events') -%}
        select event_date, count(*) as events from lake.{{ table }}
        where {{ in_days('event_date') }} group by event_date
        {{ 'union all' if not loop.last }}
        {% endfor %}
    )
    group by event_date
    order by event_date
{%- endmacro %}

{# True for the messages of the part that is being built; for all of them outside a by_day build. #}
{% macro in_part(message) -%}
    (coalesce(getvariable('parts'), 1) = 1 or hash({{ message }}) % getvariable('parts')::ubigint = getvariable('part'))
{%- endmacro %}
