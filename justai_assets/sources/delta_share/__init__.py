"""The Delta Sharing source: a shared table or view becomes our Delta table, day by day.

A mirror passes these stations: `profile` (the credential file), `transport` and `client` (requests that are bounded in
time and tried again), `protocol` (NDJSON answers, whole or rejected), `file_listing` (the files and their contract),
`file_days` and `plan` (which days changed), `download` and `day_files` (verified local Parquet), `day_commit` (rows
accepted or rejected, one commit a batch of days), `mirror_state` and `mirror_table` (what the mirror holds). `mirror`
and `mirror_run` go through them.
"""
