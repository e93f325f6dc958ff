"""The Delta Sharing door: a shared table or view becomes our Delta table, day by day.

A mirror passes these stations: `profile` (the credential file), `client` (requests that are bounded in time and tried
again), `answers` (NDJSON to files, whole or refused), `schema` (the contract), `days` and `plan` (which days changed),
`download` and `pieces` (verified local Parquet), `rows` (accepted or rejected), `mirror` (one commit a batch of days).
"""
