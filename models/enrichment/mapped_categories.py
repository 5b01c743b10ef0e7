"""What a category is called beside its number: its tree's own code, and Google's category."""

from functools import cache

from models.taxonomy.tree import Node, Taxonomy
from schemas.events import MappedCategory


def mapped_categories(node: Node, version: str) -> list[MappedCategory]:
    """The code of a category and its counterpart in Google's tree; empty for a tree that gives neither.

    Args:
        node: The category.
        version: The version of its tree.
    """
    found = []
    if node.code:
        found.append(MappedCategory(taxonomy=version, id=node.code, path=node.path))
    if node.google_id is not None and node.google_id in _google():
        google = _google().node(node.google_id)
        found.append(MappedCategory(taxonomy=_google().version, id=str(google.id), path=google.path))
    return found


@cache
def _google() -> Taxonomy:
    return Taxonomy.google()
