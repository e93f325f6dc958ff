"""Days of the unified stream as Parquet files, whose engagement events are copied page by page, not decoded."""
