"""Attributes and tags that a text states: brand, color, size, material and others."""
