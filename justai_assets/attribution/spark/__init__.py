"""The attribution rule as a Spark job, for orgs with `engine: databricks`: the rows are those of the engine.

`dag/databricks` starts the job; this package runs on the cluster and imports no Dagster but the Pipes protocol.
"""
