"""Writes the shipped category trees from what their publishers offer."""
