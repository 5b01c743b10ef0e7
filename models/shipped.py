"""The directory of the artifacts that ship with the package."""

from pathlib import Path

PRETRAINED = Path(__file__).parent / "pretrained"
"""Models, encoders, lexicons and taxonomies, each in a directory of its own with its license."""
