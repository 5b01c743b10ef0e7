"""Enrichment of one listing: category, tags, attributes and embedding together."""
