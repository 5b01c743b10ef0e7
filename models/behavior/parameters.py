"""The constants of the behaviour models, in one frozen object that is passed to pure functions."""

from dataclasses import dataclass, fields
from math import isfinite

from schemas.errors import StopWorker


@dataclass(frozen=True, slots=True)
class BehaviorParameters:
    """How behaviour becomes affinities, sessions, preferences and expectations.

    The defaults of `half_life_days` and `neighbours` are measured: see `benchmarks/affinity_recall.py`.

    Attributes:
        half_life_days: Age at which a session counts half towards an affinity, in days.
        neighbours: Most neighbours that a product's row keeps for each relation.
        top_k: Related products published for each relation.
        publish_change: Relative change of a published score that is worth publishing again, 0.1 for 10%.
        session_gap_s: Inactivity, in event time, that ends a session without an id; seconds.
        open_sessions: Most sessions kept open for one shopper; the one with the oldest last event goes.
        session_products: Most products that a session remembers for each relation, the newest ones. It
            bounds the pairs of one event, and so keeps a crawler's session from costing n² pairs. All open
            sessions of a shopper together remember twice as many; beyond that the oldest session goes.
        session_characters: Most characters of those products' ids together, with the same bounds: a thousand
            of the longest ids would fill a row, and hundreds of records with their pairs.
        seen_events: Most recent event ids remembered for one shopper, to drop duplicates.
        preference_half_life_days: Age at which an action counts half towards a shopper's taste, in days.
        preference_products: Most products remembered for a shopper's taste.
        preference_top: Most tags, and most categories, published for a shopper.
    """

    half_life_days: float = 60.0
    neighbours: int = 400
    top_k: int = 20
    publish_change: float = 0.1
    session_gap_s: float = 1800.0
    open_sessions: int = 8
    session_products: int = 1024
    session_characters: int = 65_536
    seen_events: int = 256
    preference_half_life_days: float = 30.0
    preference_products: int = 100
    preference_top: int = 20

    def __post_init__(self) -> None:
        """Refuse what would silently compute nonsense.

        Raises:
            StopWorker: A value is not a positive finite number.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if not isfinite(value) or value <= 0:
                raise StopWorker(f"{field.name} is {value!r}, but it must be a number above zero")

    @property
    def half_life_s(self) -> float:
        """The half-life of affinities in seconds."""
        return self.half_life_days * 86400.0

    @property
    def preference_half_life_s(self) -> float:
        """The half-life of preferences in seconds."""
        return self.preference_half_life_days * 86400.0
