"""A shop's own mix of departments: what its listings so far are, by the model's probabilities.

A shop sells from few departments. The mean of the model's probabilities over the shop's listings says from
which, and weighs what the model says of the next listing. See `docs/decisions/shop-mix.md`.
"""

from dataclasses import dataclass

import msgspec
import numpy as np

from models.arrays import Doubles, Floats

MEMORY = 5_000
"""The number of a shop's listings after which one counts 1/e."""
LEAST_LISTINGS = 200
"""Below this number of listings the mix changes nothing."""
PRIOR_LISTINGS = 100.0
"""Listings of all departments alike that are added to the shop's own."""
FLOOR = 0.5
"""The part of the mix that is spread over all departments."""
EXPONENT = 0.5
"""The power of the mix that probabilities are multiplied with."""


class _Row(msgspec.Struct, array_like=True, frozen=True):
    taxonomy_version: str
    masses: list[float]


@dataclass(frozen=True, slots=True)
class ShopMix:
    """The departments of a shop's listings so far.

    Attributes:
        masses: The sum of each department's probabilities over the listings, where older ones count less,
            shape [departments].
    """

    masses: Doubles

    @classmethod
    def empty(cls, departments: int) -> "ShopMix":
        """The mix of a shop without listings."""
        return cls(np.zeros(departments, dtype=np.float64))

    @classmethod
    def from_bytes(cls, row: bytes | None, taxonomy_version: str, departments: int) -> "ShopMix":
        """Read a stored mix. It is empty if nothing is stored, or if it is of another category tree."""
        if row is None:
            return cls.empty(departments)
        stored = msgspec.msgpack.decode(row, type=_Row)
        if stored.taxonomy_version != taxonomy_version or len(stored.masses) != departments:
            return cls.empty(departments)
        return cls(np.array(stored.masses, dtype=np.float64))

    def to_bytes(self, taxonomy_version: str) -> bytes:
        """Return the stored form."""
        return msgspec.msgpack.encode(_Row(taxonomy_version, self.masses.tolist()))

    @property
    def listings(self) -> float:
        """The number of listings, where older ones count less."""
        return float(self.masses.sum())

    def after(self, departments: Floats) -> "ShopMix":
        """The mix after one more listing.

        Args:
            departments: The listing's probability of each department, before the mix weighs it, shape
                [departments].
        """
        return ShopMix(self.masses * (1.0 - 1.0 / MEMORY) + departments)

    def weights(self) -> Doubles | None:
        """What the probability of each department is multiplied with, shape [departments].

        Returns:
            1 on average over departments before the power; None before `LEAST_LISTINGS`.
        """
        if self.listings < LEAST_LISTINGS:
            return None
        count = len(self.masses)
        shown = (self.masses + PRIOR_LISTINGS / count) / (self.listings + PRIOR_LISTINGS)
        weights: Doubles = ((1.0 - FLOOR) * shown * count + FLOOR) ** EXPONENT
        return weights


class ShopMixes:
    """The mixes of several shops while their listings are enriched in order. Not thread-safe.

    Args:
        new: The mix of a shop before its first listing; None to weigh and count only shops that are added.
    """

    def __init__(self, new: ShopMix | None = None) -> None:
        self._new = new
        self._mixes: dict[str | None, ShopMix] = {}

    def add(self, shop: str | None, mix: ShopMix) -> None:
        """Add the mix of a shop, unless it has one."""
        self._mixes.setdefault(shop, mix)

    def weights(self, shop: str | None) -> Doubles | None:
        """As `ShopMix.weights`; None for a shop without a mix."""
        mix = self._mixes.get(shop, self._new)
        return None if mix is None else mix.weights()

    def count(self, shop: str | None, departments: Floats) -> None:
        """Count a listing's departments in its shop's mix, if the shop has one."""
        mix = self._mixes.get(shop, self._new)
        if mix is not None:
            self._mixes[shop] = mix.after(departments)
