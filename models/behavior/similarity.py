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
from models.behavior.text_changes import TextChanges
from models.behavior.vector_cell import Vectors
from models.behavior.vector_cells import VectorCells
from schemas.errors import InvalidEvent
from schemas.events import Embedding

MAX_DIMENSIONS = 1024
"""The maximum number of dimensions of an embedding."""
_ANY = -1.0


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
        # By own number: the product's number, and the least cosine of the list that was found last for it.
        self.products = array("q")
        self.least = array("f")
        self._free: list[int] = []

    def add(self, product: int) -> int:
        """Return an own number for a product."""
        if self._free:
            own = self._free.pop()
            self.products[own] = product
            self.least[own] = _ANY
            return own
        self.products.append(product)
        self.least.append(_ANY)
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
        self._changes: TextChanges[_Group] = TextChanges()

    def __len__(self) -> int:
        return sum(len(members.cells) for members in self._groups.values())

    def __contains__(self, number: int) -> bool:
        return self._group_of(number) is not None

    @property
    def exact(self) -> bool:
        """Whether every search reads all vectors."""
        return all(members.cells.exact for members in self._groups.values())

    @property
    def floods(self) -> int:
        """How often more embeddings changed than `affected` can tell of."""
        return self._changes.floods

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
            vectors = self._changed(group, vectors)
            own = [self._own_number(number, members) for number in vectors]
            for each in own:
                members.least[each] = _ANY
            if own:
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
            self._changes.add(group, members.cells.vectors(own))
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
            asking = self._groups[group]
            vectors = asking.cells.vectors([own for _, own in here])
            # Products with the same text, of which there may be thousands, share one search.
            place_of: dict[bytes, int] = {}
            places = [place_of.setdefault(vector.tobytes(), len(place_of)) for vector in vectors]
            ranked = self._ranked(group, vectors[_firsts(places)], k + 1, min_cosine)
            for (number, own), place in zip(here, places, strict=True):
                name = self._products.id_of(number)
                best = [(other, cosine) for other, cosine in ranked[place] if other != name][:k]
                asking.least[own] = best[-1][1] if best and len(best) == k else min_cosine
                found[number] = best
        return found

    def affected(self, count: int, min_cosine: float) -> list[str]:
        """Take some changes of embeddings, and find the products whose nearest they may change.

        Args:
            count: The number of changed embeddings to take at most.
            min_cosine: The least cosine of a neighbor.

        Returns:
            The ids of the products, in no order. Where a search is approximate, so is this.
        """
        found: list[str] = []
        for group, vectors in self._changes.take(count).items():
            for other, members in self._groups.items():
                if other[1:] != group[1:] or (None not in (other.shop, group.shop) and other != group):
                    continue
                least = np.maximum(np.frombuffer(members.least, dtype=np.float32), np.float32(min_cosine))
                reached = members.cells.reached(vectors, least)
                found += [self._products.id_of(members.products[own]) for own in reached.tolist()]
        return found

    def _ranked(
        self, group: _Group, vectors: Vectors, k: int, min_cosine: float
    ) -> list[list[tuple[str, float]]]:
        """Return for each vector the ids and cosines of the k nearest that its group may find; ties by id."""
        ranked: list[list[tuple[float, str]]] = [[] for _ in vectors]
        for members in self._visible(group):
            for hits, best in zip(members.cells.nearest(vectors, k), ranked, strict=True):
                near = hits.cosines >= min_cosine
                for own, cosine in zip(hits.numbers[near].tolist(), hits.cosines[near].tolist(), strict=True):
                    best.append((-cosine, self._products.id_of(members.products[own])))
        return [[(name, -negative) for negative, name in nsmallest(k, best)] for best in ranked]

    def _changed(self, group: _Group, vectors: dict[int, Vectors]) -> dict[int, Vectors]:
        """Remember which vectors of a group come and go, and leave out those that are there already."""
        known = [number for number in vectors if self._group_of(number) is not None]
        if known:
            before = self._groups[group].cells.vectors([self._own_of[number] for number in known])
            same = (before == np.stack([vectors[number] for number in known])).all(axis=1)
            self._changes.add(group, before[~same])
            left_out = {number for number, is_same in zip(known, same.tolist(), strict=True) if is_same}
            vectors = {number: vector for number, vector in vectors.items() if number not in left_out}
        if vectors:
            self._changes.add(group, np.stack(list(vectors.values())))
        return vectors

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


def _firsts(places: Sequence[int]) -> list[int]:
    """Return where each of the places 0, 1, … occurs first."""
    first: dict[int, int] = {}
    for at, place in enumerate(places):
        first.setdefault(place, at)
    return list(first.values())
