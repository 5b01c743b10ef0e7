"""Changes the sessions of a shopper's row, and emits how their pairs change, once for all changes together.

A session that is about to change is noted as it was counted. In the end the pairs are emitted that it has
more or less since then. So what a batch changes several times is emitted once.

Changes out of order have a bound for each session, because each of them may change many pairs: once they
would correct more than `session_corrections` pairs, the session takes only products that enter after all
others.
"""

from collections import Counter
from dataclasses import dataclass, field
from math import inf

from models.behavior.deltas import DeltaBuilder
from models.behavior.next_products import joined
from models.behavior.parameters import BehaviorParameters
from models.behavior.returns import add_return, returned_sessions
from models.behavior.session_bounds import latest_event_at
from models.behavior.session_pairs import (
    UNDAMPED,
    CountedProducts,
    EntryTimes,
    add_difference,
    corrected_pairs,
    in_order,
)
from models.behavior.shopper_row import OpenSession, ShopperState
from models.behavior.transitions import join_transitions
from schemas.events import Relation

_BOUGHT = Relation.BOUGHT.value
_DAY_S = 86_400.0

LATE = "late"
"""The count of events that were too late for a session."""
OUT_OF_ORDER = "out_of_order"
"""The count of products and merges that were refused because a session had too many corrections."""
LIMITED = "limited"
"""The count of sessions without weight because the shopper had too many."""


@dataclass(slots=True)
class _Touched:
    """A session that changes.

    Attributes:
        session: The session as it is now.
        before: How its parts were counted, by relation.
        unordered: Relations whose products are out of order.
    """

    session: OpenSession
    before: list[dict[str, CountedProducts]]
    unordered: set[str] = field(default_factory=set)


class SessionChanges:
    """Changes sessions of a state in place.

    Args:
        state: The state of a shopper's row.
        parameters: Bounds and weights.
        counts: Receives the counts of `LATE`, `OUT_OF_ORDER` and `LIMITED`.
    """

    def __init__(
        self, state: ShopperState, parameters: BehaviorParameters, counts: Counter[str] | None = None
    ) -> None:
        self._state, self._parameters = state, parameters
        self.counts: Counter[str] = Counter() if counts is None else counts
        self._touched: dict[int, _Touched] = {}
        # A session that is forgotten while its identity is a key could hand it to another one.
        self._merged: list[OpenSession] = []
        self._bound = int(parameters.session_pair_products)

    def touch(self, session: OpenSession) -> _Touched:
        """Note how a session was counted, before it changes."""
        touched = self._touched.get(id(session))
        if touched is None:
            if session.counted == UNDAMPED:
                session.entry_times = {
                    relation: in_order(products, self._bound)
                    for relation, products in session.entry_times.items()
                }
            returned = frozenset(session.returned)
            before = {
                relation: CountedProducts(
                    products.copy(), returned if relation == _BOUGHT else frozenset(), session.counted
                )
                for relation, products in session.entry_times.items()
            }
            touched = self._touched[id(session)] = _Touched(session, [before])
        return touched

    def add_product(self, session: OpenSession, relation: Relation, product: str, time: float) -> None:
        """Add a product to a relation of a session, or lower its entry time."""
        touched = self.touch(session)
        if session.admitted is None:
            session.admitted = self._admits()
        entry_times = session.entry_times.setdefault(relation.value, {})
        known = entry_times.get(product)
        if known is not None and known <= time:
            return
        if known is None and relation.value not in touched.unordered:
            last = next(reversed(entry_times.values()), -inf)
            if last < time:
                if len(entry_times) < self._bound:
                    entry_times[product] = time
                    self._match_returns(relation, product)
                return
        if session.events > self._parameters.session_events:
            return  # It has no weight any more, so that no pair depends on its order.
        if session.corrections >= self._parameters.session_corrections:
            self.counts[OUT_OF_ORDER] += 1
            return
        entry_times[product] = time
        touched.unordered.add(relation.value)
        self._match_returns(relation, product)

    def add_return(self, product: str, time: float) -> None:
        """Take back a purchase."""
        add_return(self._state, product, time, int(self._parameters.returns))
        self.match_returns(product)

    def match_returns(self, product: str) -> None:
        """Find anew which purchases of a product were returned."""
        for session, is_returned in returned_sessions(self._state, product):
            if is_returned != (product in session.returned):
                self.touch(session)
                session.returned = sorted({*session.returned} ^ {product})

    def can_merge(self, one: OpenSession, other: OpenSession) -> bool:
        """Whether two sessions of the row may be merged: it corrects their pairs. Else it is counted."""
        cost = one.corrections + other.corrections + self._merge_cost(one, other)
        if cost > self._parameters.session_corrections:
            self.counts[OUT_OF_ORDER] += 1
            return False
        return True

    def merge(self, first: OpenSession, second: OpenSession) -> OpenSession:
        """Merge two parts of one session, the earlier one first. The caller puts it into the row."""
        merged = OpenSession(
            first.session_id, first.named, first.started_at, max(first.last_at, second.last_at), counted=0.0
        )
        before = self.touch(first).before + self.touch(second).before
        merged.corrections = first.corrections + second.corrections + self._merge_cost(first, second)
        merged.events = first.events + second.events
        merged.shop = second.shop if first.shop is None else first.shop
        merged.known = first.known or second.known
        merged.admitted = first.admitted if second.admitted is None else first.admitted or second.admitted
        merged.returned = sorted({*first.returned, *second.returned})
        merged.recent = joined(first.recent, second.recent)
        join_transitions(self._state, merged, first, second)
        for relation in dict.fromkeys([*first.entry_times, *second.entry_times]):
            one, other = (part.entry_times.get(relation, {}) for part in (first, second))
            merged.entry_times[relation] = one | {
                product: min(time, one.get(product, time)) for product, time in other.items()
            }
        for part in (first, second):
            del self._touched[id(part)]
            self._merged.append(part)
        self._touched[id(merged)] = _Touched(merged, before, set(merged.entry_times))
        return merged

    def emit(self, pairs: DeltaBuilder) -> None:
        """Emit how the pairs of all changed sessions changed, and note how they are counted now."""
        for touched in self._touched.values():
            session = touched.session
            for relation in touched.unordered:
                session.entry_times[relation] = self._ordered(touched, relation)
            bought = session.entry_times.get(_BOUGHT, {})
            session.returned = [product for product in session.returned if product in bought]
            weight = session_weight(session, self._parameters)
            returned = frozenset(session.returned)
            for relation, products in session.entry_times.items():
                after = CountedProducts(products, returned if relation == _BOUGHT else frozenset(), weight)
                before = [part[relation] for part in touched.before if relation in part]
                add_difference(before, after, Relation(relation), pairs, self._parameters)
            session.counted = weight
        self._touched.clear()
        self._merged.clear()

    def _ordered(self, touched: _Touched, relation: str) -> EntryTimes:
        """Return the first products of a session in order, or fewer if it has too many corrections."""
        session = touched.session
        products = in_order(session.entry_times[relation], self._bound)
        if len(touched.before) > 1:
            return products
        part = touched.before[0].get(relation)
        before = {} if part is None else part.entry_times
        bound = int(self._parameters.session_corrections)
        corrected = corrected_pairs(before, products, self._parameters)
        if session.corrections + corrected <= bound:
            session.corrections += corrected
            return products
        session.corrections = bound
        last = next(reversed(before.values()), -inf)
        after_all = {name: time for name, time in products.items() if name not in before and last < time}
        self.counts[OUT_OF_ORDER] += sum(
            name not in after_all and before.get(name) != time for name, time in products.items()
        )
        return in_order(before | after_all, self._bound)

    def _merge_cost(self, one: OpenSession, other: OpenSession) -> int:
        """Return the number of pairs that a merge of two sessions may correct."""
        cost = 0
        for relation in one.entry_times.keys() & other.entry_times.keys():
            products = len(one.entry_times[relation]) + len(other.entry_times[relation])
            counted = min(products, self._bound)
            cost += counted * (counted - 1) // 2
        return cost

    def _match_returns(self, relation: Relation, product: str) -> None:
        if relation is Relation.BOUGHT and product in self._state.returns:
            self.match_returns(product)

    def _admits(self) -> bool:
        """Whether one more session has a weight: the limit is a bucket that leaks as time goes on."""
        state, parameters = self._state, self._parameters
        now = latest_event_at(state)
        if now > state.admitted_at:
            leaked = (now - state.admitted_at) / _DAY_S * parameters.sessions_per_day
            state.admitted, state.admitted_at = max(0.0, state.admitted - leaked), now
        if state.admitted + 1 > parameters.sessions_at_once:
            self.counts[LIMITED] += 1
            return False
        state.admitted += 1
        return True


def session_weight(session: OpenSession, parameters: BehaviorParameters) -> float:
    """Return the weight of a session: none for programs, and less for guests."""
    if session.admitted is False or session.events > parameters.session_events:
        return 0.0
    return 1.0 if session.known else parameters.guest_weight
