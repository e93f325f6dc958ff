"""Iterable's Journey webhooks: one custom event a call. Their rows become custom_events."""
