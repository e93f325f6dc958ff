"""Chameleon's webhook: what people did with a tour, survey or embed. Its rows become custom_events."""
