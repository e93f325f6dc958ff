"""The NumPy engine: sends and events are bucketed by person on disk, and each event finds its latest prior send.

`attributed_day` and `file_attribution` feed it; it knows columns and files, and neither orgs nor Dagster.
"""
