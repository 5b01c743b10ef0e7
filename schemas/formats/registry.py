"""All formats, by name."""

from schemas.formats.format import Format
from schemas.formats.merchant import Merchant

FORMATS: dict[str, Format] = {each.name: each for each in (Merchant(),)}
"""The formats by their name on the command line, those of products first."""
