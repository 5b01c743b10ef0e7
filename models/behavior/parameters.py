"""The parameters of the behavior models, in one frozen object that is passed to pure functions."""

from dataclasses import dataclass, fields
from math import isfinite

from schemas.errors import StopWorker


@dataclass(frozen=True, slots=True)
class BehaviorParameters:
    """The parameters of affinities, sessions, preferences and next actions.

    The defaults of `half_life_days` and `neighbors` are measured by `benchmarks/affinity_recall.py`, that of
    `similar_min_cosine` by `benchmarks/similar_floor.py`.

    Attributes:
        half_life_days: The half-life of a session's weight in affinities, in days.
        neighbors: The number of neighbors of a product for each relation that are counted with certainty. A
            row counts twice as many; see `models.behavior.neighbors` for the bound of the error beyond.
        top_k: The number of related products that are published for each relation.
        similar_min_cosine: The least cosine of two texts that are published as similar, above 0.
        publish_change: The relative change of a published score that triggers a new event; 0.1 is 10%.
        min_support: The least number of sessions with both products of a related product by behavior that is
            published.
        session_gap_s: The event-time gap that ends a session without an id, in seconds.
        open_sessions: The maximum number of sessions in a shopper's row. The session with the oldest last
            event is dropped first.
        session_pair_products: The number of products of a session that form pairs in each relation: the
            first ones. Others are not remembered. The pairs of a session grow with the square of this number.
        damping_products: A pair has the weight 1 / (1 + (k / damping_products)^2) if k products entered the
            session before its later one, in steps.
        damping_step: The number of products of such a step: k is rounded down to a multiple of it.
        guest_weight: The weight of the sessions of guests; sessions of a known user have the weight 1.
        session_events: A session of more events is that of a program: it has no weight.
        sessions_per_day: The number of sessions of a shopper per day that have a weight, in the long run.
        sessions_at_once: The number of sessions of a shopper that have a weight within a short time.
        session_corrections: The number of pairs of a session that late events may correct. Beyond it, what
            arrives out of order forms no pairs. The lines of an order of 1,000 need 25,000 at most.
        allowed_lateness_days: An event that is older than the shopper's latest event by more days forms no
            pairs.
        row_products: The maximum number of products of all sessions and relations in a shopper's row.
        row_characters: The maximum number of characters of those products' ids.
        returns: The number of returns of a shopper that wait for, or took back, a purchase.
        seen_events: The number of recent event ids of a shopper that are kept to detect duplicates.
        preference_half_life_days: The half-life of an action's weight in preferences, in days.
        preference_products: The maximum number of products in a shopper's preferences.
        repurchase_half_life_days: The half-life of a session's weight in a shopper's products, in days.
        shopper_products: The maximum number of products of dropped sessions that a shopper's row keeps.
        shopper_products_top: The number of a shopper's products that are published.
        preference_prior: The strength of the shop's mean in preferences, in products that were viewed once.
        preference_top: The maximum number of tags, and of categories, that are published for a shopper.
    """

    half_life_days: float = 75.0
    neighbors: int = 128
    top_k: int = 20
    similar_min_cosine: float = 0.5
    publish_change: float = 0.1
    min_support: int = 1
    session_gap_s: float = 1800.0
    open_sessions: int = 8
    session_pair_products: int = 100
    damping_products: float = 25.0
    damping_step: int = 15
    guest_weight: float = 0.3
    session_events: int = 1000
    sessions_per_day: int = 12
    sessions_at_once: int = 48
    session_corrections: int = 30_000
    allowed_lateness_days: float = 30.0
    row_products: int = 2048
    row_characters: int = 131_072
    returns: int = 64
    seen_events: int = 256
    preference_half_life_days: float = 30.0
    preference_products: int = 100
    preference_prior: float = 90.0
    repurchase_half_life_days: float = 240.0
    shopper_products: int = 100
    shopper_products_top: int = 50
    preference_top: int = 20

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            StopWorker: A value is not a positive finite number.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if not isfinite(value) or value <= 0:
                raise StopWorker(f"{field.name} is {value!r}, but it must be a finite number above zero")

    @property
    def half_life_s(self) -> float:
        """The half-life of affinities, in seconds."""
        return self.half_life_days * 86400.0

    @property
    def repurchase_half_life_s(self) -> float:
        """The half-life of a shopper's products, in seconds."""
        return self.repurchase_half_life_days * 86400.0

    @property
    def allowed_lateness_s(self) -> float:
        """The allowed lateness, in seconds."""
        return self.allowed_lateness_days * 86400.0

    @property
    def preference_half_life_s(self) -> float:
        """The half-life of preferences, in seconds."""
        return self.preference_half_life_days * 86400.0
