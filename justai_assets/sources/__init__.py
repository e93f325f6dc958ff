"""From landed records to rows: one package a source, the registry that lists them, and the lineage that follows.

The landing zone comes before; `attribution/` and `events/` read the tables that are filled here.
"""
