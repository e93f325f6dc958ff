"""Iterable's system webhook: one engagement event a call. Its rows become esp_events."""
