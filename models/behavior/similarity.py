"""Finds products with similar texts by cosine search over quantized embeddings.

The search is exact while a model has some 20,000 products, and approximate beyond: see `VectorCells`. The
cosines are exact in either case, and do not depend on the machine or the order of summation.
"""

from array import array
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterator, Mapping, Sequence
from heapq import nsmallest
from typing import NamedTuple

import numpy as np

from models.behavior.product_numbers import ProductNumbers
from models.behavior.vector_cell import Vectors
from models.behavior.vector_cells import VectorCells
from schemas.errors import InvalidEvent
from schemas.events import Embedding

MAX_DIMENSIONS = 1024
"""The maximum number of dimensions of an embedding."""


def vector_of(embedding: Embedding) -> Vectors:
    """Decode the signed bytes of `embedding`, shape (dimensions,).

    Raises:
        InvalidEvent: `invalid-embedding`: not base64, not as long as it claims, or too long.
    """
    try:
        data = a2b_base64(embedding.int8.encode(), strict_mode=True)
    except (Base64Error, UnicodeEncodeError) as error:
        raise InvalidEvent(
            "invalid-embedding", f"$.embedding.int8: is not base64: {error}", "$.embedding.int8"
        ) from error
    if len(data) != embedding.dimensions or not 1 <= len(data) <= MAX_DIMENSIONS:
        raise InvalidEvent(
            "invalid-embedding",
            f"$.embedding.int8: has {len(data)} bytes, but dimensions is {embedding.dimensions} "
            f"(allowed: 1 to {MAX_DIMENSIONS})",
            "$.embedding.int8",
        )
    return np.frombuffer(data, dtype=np.int8)


class _Group(NamedTuple):
    """What embeddings that are compared have in common. The shop is None where it is not known."""

    shop: str | None
    model_version: str
    dimensions: int


class _Members:
    """The products of one group, with small numbers of their own: the cells reserve room up to the largest.

    Args:
        group: The group.
    """

    def __init__(self, group: _Group) -> None:
        self.group = group
        self.cells = VectorCells(group.dimensions)
        # By own number: the product's number.
        self.products = array("q")
        self._free: list[int] = []

    def add(self, product: int) -> int:
        """Return an own number for a product."""
        if self._free:
            own = self._free.pop()
            self.products[own] = product
            return own
        self.products.append(product)
        return len(self.products) - 1

    def discard(self, own: Sequence[int]) -> None:
        """Remove products by their own numbers."""
        self.cells.discard(own)
        self._free.extend(own)


class SimilarityIndex:
    """An index of products by their embeddings.

    Embeddings of different models are never compared, nor those of different shops. A product whose shop is
    not known may be found by products of every shop.

    Args:
        products: Gives ids to the numbers of the products. A product's embedding must be removed before its
            number is.
    """

    def __init__(self, products: ProductNumbers) -> None:
        self._products = products
        self._groups: dict[_Group, _Members] = {}
        # Groups get a place that is not given away. By product: the place of its group, or -1, and its own
        # number there. Arrays, for there may be millions of products.
        self._place_of_group: dict[_Group, int] = {}
        self._group_at: list[_Group] = []
        self._place_of = array("i")
        self._own_of = array("i")

    def __len__(self) -> int:
        return sum(len(members.cells) for members in self._groups.values())

    def __contains__(self, number: int) -> bool:
        return self._group_of(number) is not None

    @property
    def exact(self) -> bool:
        """Whether every search reads all vectors."""
        return all(members.cells.exact for members in self._groups.values())

    def put(self, embeddings: Mapping[int, Embedding], shops: Mapping[int, str | None] | None = None) -> None:
        """Add products by number, or replace their embeddings. One call for many is far cheaper.

        Args:
            embeddings: The embeddings by product.
            shops: The shop of each product; None, or a product that is missing, if it is not known.

        Raises:
            InvalidEvent: `invalid-embedding`; the index is not changed.
        """
        shops = shops or {}
        by_group: dict[_Group, dict[int, Vectors]] = {}
        for number, embedding in embeddings.items():
            group = _Group(shops.get(number), embedding.model_version, embedding.dimensions)
            by_group.setdefault(group, {})[number] = vector_of(embedding)
        self.remove(
            [
                number
                for group, vectors in by_group.items()
                for number in vectors
                if self._group_of(number) not in (None, group)
            ]
        )
        for group, vectors in by_group.items():
            if (members := self._groups.get(group)) is None:
                members = self._groups[group] = _Members(group)
            own = [self._own_number(number, members) for number in vectors]
            members.cells.put(own, np.stack(list(vectors.values())))

    def remove(self, numbers: Sequence[int]) -> None:
        """Remove products; those without an embedding are ignored."""
        by_group: dict[_Group, list[int]] = {}
        for number in numbers:
            if (of := self._group_of(number)) is not None:
                by_group.setdefault(of, []).append(self._own_of[number])
                self._place_of[number] = -1
        for group, own in by_group.items():
            members = self._groups[group]
            members.discard(own)
            if not len(members.cells):
                del self._groups[group]

    def nearest(
        self, numbers: Sequence[int], k: int, min_cosine: float = -1.0
    ) -> dict[int, list[tuple[str, float]]]:
        """Find the products with the most similar texts. One call for many is far cheaper.

        Args:
            numbers: The products to search for.
            k: The maximum number of neighbors.
            min_cosine: The least cosine of a neighbor.

        Returns:
            For each product that has an embedding, the ids of its neighbors with their cosines in [-1, 1],
            best first; ties by id.
        """
        by_group: dict[_Group, list[tuple[int, int]]] = {}
        for number in numbers:
            if (of := self._group_of(number)) is not None:
                by_group.setdefault(of, []).append((number, self._own_of[number]))
        found: dict[int, list[tuple[str, float]]] = {}
        for group, here in by_group.items():
            vectors = self._groups[group].cells.vectors([own for _, own in here])
            ranked: list[list[tuple[float, str]]] = [[] for _ in here]
            for members in self._visible(group):
                for (number, _), hits, best in zip(
                    here, members.cells.nearest(vectors, k + 1), ranked, strict=True
                ):
                    near = hits.cosines >= min_cosine
                    for own, cosine in zip(
                        hits.numbers[near].tolist(), hits.cosines[near].tolist(), strict=True
                    ):
                        product = members.products[own]
                        if product != number:
                            best.append((-cosine, self._products.id_of(product)))
            # Thousands of products may have the same text: only the ids that are returned are sorted.
            for (number, _), best in zip(here, ranked, strict=True):
                found[number] = [(name, -negative) for negative, name in nsmallest(k, best)]
        return found

    def _own_number(self, number: int, members: _Members) -> int:
        if self._group_of(number) is None:
            if number >= len(self._place_of):
                more = number + 1 - len(self._place_of)
                self._place_of.extend([-1] * more)
                self._own_of.extend([0] * more)
            place = self._place_of_group.setdefault(members.group, len(self._group_at))
            if place == len(self._group_at):
                self._group_at.append(members.group)
            self._place_of[number], self._own_of[number] = place, members.add(number)
        return self._own_of[number]

    def _group_of(self, number: int) -> _Group | None:
        if number >= len(self._place_of) or self._place_of[number] < 0:
            return None
        return self._group_at[self._place_of[number]]

    def _visible(self, group: _Group) -> Iterator[_Members]:
        """Yield the groups of the same model that a group's products may find."""
        model = group[1:]
        if group.shop is not None:
            for shop in (group.shop, None):
                if (members := self._groups.get(_Group(shop, *model))) is not None:
                    yield members
            return
        same = [members for other, members in self._groups.items() if other[1:] == model]
        # While there is one shop only, products whose shop is not known are probably its own.
        yield from same if len(same) <= 2 else [self._groups[group]]
