"""What is shipped, loaded once in a test process."""

from functools import cache

from models.enrichment.enricher import Enricher


@cache
def shipped_enricher() -> Enricher:
    """The shipped model with its text encoders. Tests must not change it."""
    return Enricher.load()
