"""The landing zone as it lies: where objects are, which days changed, and how envelopes and Parquet files are opened.

Sources and the collector write it; `sources/` makes rows of it.
"""
