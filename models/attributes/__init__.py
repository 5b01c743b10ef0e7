"""Extracts attributes from texts (brand, color, size, material and others), and assigns tags."""
