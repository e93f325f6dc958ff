"""Attribution on an org's own Databricks workspace: a job is started, watched over Dagster Pipes, and its days taken.

The rule it runs is `attribution/spark`.
"""
