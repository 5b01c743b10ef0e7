"""Behavior: sessions, shoppers, co-occurrence deltas, neighbor tables, similar texts."""
