"""Differential privacy of related products: noise on the counts of pairs, and a threshold.

Two sets of behavior are neighbors if one has one more session. The mechanism publishes, of each pair of a
product's row, the decayed count plus Gaussian noise if that reaches a threshold, once in each period. What
one session adds to all rows of all relations together is bounded, because the first n products of a session
form pairs of a weight of at most 1, which falls with their number (`models.behavior.damping`):

- L2 norm Δ = sqrt(3 · 2 · S): three relations, and each pair is in two rows. S is the greatest sum of the
  squared weights of a relation's pairs, whatever the entry times of the products are.
- Number of pairs K = 3 · n · (n - 1).

Gaussian noise of standard deviation σ on counts of sensitivity Δ is ρ-zCDP with ρ = Δ² / (2σ²), and so
(ε, δ/2)-private with ε = ρ + 2 sqrt(ρ ln(2/δ)) (M. Bun and T. Steinke, "Concentrated Differential Privacy",
TCC 2016). A pair that only one session has is published with a probability of at most Φ(-(τ - 1)/σ), which
the threshold τ makes δ / (2K) (A. Korolova et al., "Releasing Search Queries and Clicks Privately", WWW
2009).

The noise is a function of a secret key and of period, relation, product and neighbor: a batch that is
processed again publishes the same bytes. Counts are decayed to the end of the period. A session's weight
decays by q = 2^(-period / half-life) from each end to the next, so that over all periods together ρ is at
most ρ / (1 - q²).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil, floor, log, sqrt
from statistics import NormalDist

from models.behavior.damping import greatest_squares
from models.behavior.neighbors import RankedNeighbor
from models.behavior.parameters import BehaviorParameters
from schemas.events import Relation

_NORMAL = NormalDist()
_DIGITS = 2
_WORD = 2.0**53


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one session adds to all rows at most.

    Attributes:
        norm: The L2 norm of its pairs' weights.
        pairs: The number of its pairs, in both directions.
    """

    norm: float
    pairs: int

    @classmethod
    def of_sessions(
        cls, products: int, parameters: BehaviorParameters, relations: int = 3, directions: int = 2
    ) -> "Contribution":
        """Return the contribution of a session of at least two products.

        Args:
            products: The number of products of a session that form pairs in a relation.
            parameters: The damping of pairs.
            relations: The number of relations that are published.
            directions: In how many rows each pair is published.
        """
        pairs = relations * directions * products * (products - 1) // 2
        return cls(sqrt(relations * directions * greatest_squares(products, parameters)), pairs)


@dataclass(frozen=True, slots=True)
class PrivacyBudget:
    """The loss of privacy of one publication of all rows.

    Attributes:
        epsilon: The bound on the log ratio of probabilities.
        delta: The probability with which it may not hold.
    """

    epsilon: float
    delta: float = 1e-6

    @property
    def rho(self) -> float:
        """The same as ρ-zCDP, with half of δ."""
        bits = log(2.0 / self.delta)
        return float((sqrt(bits + self.epsilon) - sqrt(bits)) ** 2)

    def over_all_periods(self, period_s: float, half_life_s: float) -> float:
        """Return ε of all publications together, for the same δ/2, with weights that decay."""
        decay = 2.0 ** (-period_s / half_life_s)
        rho = self.rho / (1.0 - decay**2)
        return float(rho + 2.0 * sqrt(rho * log(2.0 / self.delta)))


class NoisedCounts:
    """Publishes counts of pairs with noise.

    Args:
        budget: ε and δ of one publication of all rows.
        contribution: What one session adds at most.
        secret: The key of the noise.
        period_s: The length of a period, in seconds.

    Attributes:
        deviation: The standard deviation of the noise, in sessions.
        threshold: The least noised count that is published, in sessions.
    """

    def __init__(
        self, budget: PrivacyBudget, contribution: Contribution, secret: bytes, period_s: float
    ) -> None:
        self._secret = blake2b(secret, person=b"affinity-noise").digest()
        self._period_s = period_s
        self.deviation = contribution.norm / sqrt(2.0 * budget.rho)
        tail = min(budget.delta / (2.0 * contribution.pairs), 0.5)
        self.threshold = 1.0 - self.deviation * _NORMAL.inv_cdf(tail)

    def end_of_period(self, time: float) -> float:
        """Return the end of the period of a time, both in seconds since 1970. Counts decay to this time."""
        return (floor(time / self._period_s) + 1) * self._period_s

    def noised(
        self, product: str, relation: Relation, neighbors: Iterable[RankedNeighbor], end: float
    ) -> list[RankedNeighbor]:
        """Return the neighbors that are published, best first.

        Args:
            product: The product.
            relation: `viewed`, `carted` or `bought`.
            neighbors: All neighbors of the row, with counts that are decayed to the end of the period.
            end: The end of the period, in seconds since 1970.

        Returns:
            Neighbors with noised counts, rounded, as scores. Their support is the same count, rounded up.
        """
        found = []
        for entry in neighbors:
            score = round(entry.score + self._noise(product, relation, entry.product_id, end), _DIGITS)
            if score >= self.threshold:
                found.append(RankedNeighbor(entry.product_id, score, ceil(score)))
        found.sort(key=lambda entry: (-entry.score, entry.product_id))
        return found

    def _noise(self, product: str, relation: Relation, neighbor: str, end: float) -> float:
        parts = (product, relation.value, neighbor, repr(end))
        text = "".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass")
        word = int.from_bytes(blake2b(text, key=self._secret, digest_size=8).digest()) >> 11
        return self.deviation * _NORMAL.inv_cdf((word + 0.5) / _WORD)
