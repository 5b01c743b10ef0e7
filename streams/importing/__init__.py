"""Imports files of other systems: opening, detection, conversion and the report."""
