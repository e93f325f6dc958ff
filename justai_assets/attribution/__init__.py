"""Which message caused a custom event: the rule, the engine that applies it to tables and files, its SQL and Spark.

The sources fill `esp_events` and `custom_events` before; the event stream (`events/`) reads `attributed_events` after.
"""
