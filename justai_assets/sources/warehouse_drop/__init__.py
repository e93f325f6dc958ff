"""Parquet that a warehouse drops: Redshift UNLOAD and Databricks exports, as custom events or as the unified stream."""
