"""The category that a shop gives with a listing: found in the tree, or kept as the shop's own path."""

import re
from html import unescape

from models.taxonomy.tree import SEPARATOR, Taxonomy
from schemas.events import ProductCreated

_SEPARATOR = re.compile(r"\s*>\s*")
_SPACES = re.compile(r"\s+")
_NUMBERED = re.compile(r"\d+\s+-\s+(?=\D)")
_DIGITS = 9


class ShopCategories:
    """Finds given categories in a tree: by id, code, full path, or `id - path` as Google's file has it.

    Of a tree with Google ids, these are found too, unless they are ids of the tree itself.
    Case, spaces and `&amp;` do not matter.

    Args:
        taxonomy: The category tree.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._taxonomy = taxonomy
        self._by_path = {_normal(node.path): node.index for node in taxonomy.nodes}
        # The highest category with a Google id: below it the tree is only finer.
        ordered = sorted(taxonomy.nodes, key=lambda node: -node.level)
        self._by_google_id = {node.google_id: node.index for node in ordered if node.google_id is not None}
        self._by_code = {node.code.casefold(): node.index for node in taxonomy.nodes if node.code}

    def find(self, category: str | int | None) -> int:
        """The index of a given category; -1 if the tree does not have it, or none is given."""
        if category is None:
            return -1
        text = str(category).strip()
        if text.isascii() and text.isdigit() and len(text) <= _DIGITS:
            number = int(text)
            if number in self._taxonomy:
                return self._taxonomy.node(number).index
            return self._by_google_id.get(number, -1)
        # Shops also write a code with the address of its kind: `gid://shopify/TaxonomyCategory/aa-1-4`.
        for code in (text.casefold(), text.casefold().rpartition("/")[2]):
            if code in self._by_code:
                return self._by_code[code]
        return self._by_path.get(_normal(_NUMBERED.sub("", text, count=1)), -1)

    def own_path(self, product: ProductCreated) -> str | None:
        """The shop's own path of a listing: `shop_category`, or a `category` that the tree does not have."""
        if product.shop_category:
            return product.shop_category
        if product.category is None or self.find(product.category) >= 0:
            return None
        return str(product.category).strip() or None


def _normal(path: str) -> str:
    levels = _SEPARATOR.split(_SPACES.sub(" ", unescape(path)).strip().casefold())
    return SEPARATOR.join(level.strip() for level in levels if level.strip())
