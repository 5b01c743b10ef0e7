"""The best related products of many products, in little memory."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from struct import Struct
from typing import NamedTuple

import numpy as np

from models.behavior.product_numbers import ProductNumbers
from schemas.events import Relation

RELATIONS = (Relation.VIEWED, Relation.CARTED, Relation.BOUGHT)
"""The relations that are kept: those by behavior."""

_HEADER = Struct("<dfBBB")


class RelatedList(NamedTuple):
    """The related products of one product.

    Attributes:
        as_of: The time to which the scores are decayed, in seconds since 1970.
        related: By relation, products with their scores, best first.
        weight: The weight of all behavior with the product, decayed to `as_of`.
    """

    as_of: float
    related: Mapping[Relation, Sequence[tuple[str, float]]]
    weight: float = 0.0


class RelatedLists:
    """Lists of related products by product.

    A list takes 8 bytes for each related product and some 300 bytes beside, with the product's id. Ids are
    stored once. Products that were put longest ago are dropped first: there are at most `bound` lists and
    twice as many ids.

    Args:
        bound: The maximum number of lists.
        kept: The maximum number of related products of a list for each relation, at most 255.
    """

    def __init__(self, bound: int, kept: int = 20) -> None:
        self._bound, self._kept = bound, min(kept, 255)
        self._numbers = ProductNumbers()
        # By product: in how many lists it is, its own list included.
        self._uses = array("I")
        # The lists by the number of the product, in the order in which they were put.
        self._lists: dict[int, bytes] = {}
        self._withdrawn: set[int] = set()

    def __len__(self) -> int:
        return len(self._lists)

    @property
    def ids(self) -> int:
        """The number of ids that are stored."""
        return len(self._numbers)

    def put(self, product_id: str, listed: RelatedList) -> None:
        """Set the list of a product. It is not withdrawn any more."""
        numbers, scores, counts = array("i"), array("f"), []
        own = self._use(product_id)
        for relation in RELATIONS:
            best = listed.related.get(relation, ())[: self._kept]
            counts.append(len(best))
            numbers.extend([self._use(name) for name, _ in best])
            scores.extend([score for _, score in best])
        self._drop(own)
        self._withdrawn.discard(own)
        header = _HEADER.pack(listed.as_of, listed.weight, *counts)
        self._lists[own] = header + numbers.tobytes() + scores.tobytes()
        while len(self._lists) > self._bound or (
            len(self._numbers) > 2 * self._bound and len(self._lists) > 1
        ):
            self._drop(next(iter(self._lists)))

    def withdraw(self, product_id: str) -> None:
        """Drop the list of a product, and leave the product out of the lists of others."""
        number = self._numbers.find(product_id)
        if number is not None:
            self._withdrawn.add(number)
            self._drop(number)

    def of(self, product_id: str) -> RelatedList | None:
        """Return the list of a product without withdrawn products; None if it has none."""
        number = self._numbers.find(product_id)
        data = None if number is None else self._lists.get(number)
        if data is None:
            return None
        as_of, weight, *counts = _HEADER.unpack_from(data)
        numbers, scores = _columns(data)
        related: dict[Relation, list[tuple[str, float]]] = {}
        start = 0
        for relation, count in zip(RELATIONS, counts, strict=True):
            if count:
                some = slice(start, start + count)
                related[relation] = [
                    (self._numbers.id_of(each), score)
                    for each, score in zip(numbers[some], scores[some], strict=True)
                    if each not in self._withdrawn
                ]
            start += count
        return RelatedList(as_of, related, weight)

    def weights(self) -> list[tuple[str, float, float]]:
        """Return the weight of all behavior with each product, and the time to which it is decayed."""
        found = []
        for number, data in self._lists.items():
            as_of, weight, *_ = _HEADER.unpack_from(data)
            found.append((self._numbers.id_of(number), weight, as_of))
        return found

    def mixed(
        self,
        weights: Iterable[tuple[str, float]],
        relation_weights: Mapping[Relation, float],
        as_of: float,
        half_life_s: float,
        count: int,
    ) -> list[tuple[str, float]]:
        """Add up the lists of some products.

        Args:
            weights: Products with the weights of their lists. Those without a list add nothing.
            relation_weights: The weight of a score by its relation.
            as_of: The time to decay scores to, in seconds since 1970. Later ones are taken as they are.
            half_life_s: Half-life in seconds.
            count: The number of products to return at most.

        Returns:
            The products of the greatest sums, best first. Withdrawn products are not among them.
        """
        by_relation = [relation_weights.get(relation, 0.0) for relation in RELATIONS]
        numbers, scores = [], []
        for product_id, weight in weights:
            number = self._numbers.find(product_id)
            data = None if number is None else self._lists.get(number)
            if data is None:
                continue
            time, _, *counts = _HEADER.unpack_from(data)
            decay = weight * 2.0 ** (min(0.0, time - as_of) / half_life_s)
            numbers.append(np.frombuffer(data, "i4", sum(counts), _HEADER.size))
            listed = np.frombuffer(data, "f4", sum(counts), _HEADER.size + 4 * sum(counts))
            scores.append(listed * np.repeat([decay * each for each in by_relation], counts))
        if not numbers:
            return []
        products, place = np.unique(np.concatenate(numbers), return_inverse=True)
        sums = np.bincount(place.ravel(), np.concatenate(scores), len(products))
        found: list[tuple[str, float]] = []
        for best in np.argsort(-sums, kind="stable").tolist():
            if len(found) == count or sums[best] <= 0.0:
                break
            if products[best] not in self._withdrawn:
                found.append((self._numbers.id_of(int(products[best])), float(sums[best])))
        return found

    def _use(self, product_id: str) -> int:
        number = self._numbers.add(product_id)
        if number >= len(self._uses):
            self._uses.extend([0] * (number + 1 - len(self._uses)))
        self._uses[number] += 1
        return number

    def _drop(self, number: int) -> None:
        """Drop a product's list, if there is one, and the ids that no list has any more."""
        data = self._lists.pop(number, None)
        if data is not None:
            self._release([number, *_columns(data)[0]])

    def _release(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._uses[number] -= 1
            if not self._uses[number]:
                self._withdrawn.discard(number)
                self._numbers.remove(self._numbers.id_of(number))


def _columns(data: bytes) -> "tuple[array[int], array[float]]":
    """Return the numbers and the scores of a list's related products."""
    numbers, scores = array("i"), array("f")
    middle = (_HEADER.size + len(data)) // 2
    numbers.frombytes(data[_HEADER.size : middle])
    scores.frombytes(data[middle:])
    return numbers, scores
