"""Behavior models: sessions, preferences, next action, related products, and text similarity."""
