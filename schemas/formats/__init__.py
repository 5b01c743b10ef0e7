"""Formats of catalogs and shop logs, read into events of the contract: one module a format, no files opened.

`registry.FORMATS` lists them.
"""
