"""The products that a shopper dealt with: by which action, in how many sessions, and when last.

What the sessions of a row hold is read from them when it is published, so that late events, returns and
merged sessions count as they do there. The history keeps what sessions held that the row has dropped. A
session counts once for a product and an action, at the product's entry time. Counts decay by half in 240
days, because shoppers buy again after seasons, while a taste fades in weeks.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import log2

import msgspec

from models.behavior.event_time import instant
from models.behavior.parameters import BehaviorParameters
from models.behavior.preference import ACTION_WEIGHT
from schemas.events import Action, Relation, ShopperProduct

STRONGEST: tuple[tuple[Action, str], ...] = (
    (Action.PURCHASE, Relation.BOUGHT.value),
    (Action.CART, Relation.CARTED.value),
    (Action.VIEW, Relation.VIEWED.value),
)
"""The actions that are told apart, the strongest first, with the relations of their products."""


class PastSessions(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Sessions of one shopper with one product and action. It is encoded as an array.

    Attributes:
        count: The number of sessions.
        last_at: The latest entry time of the product in them, in seconds since 1970.
        weight: The number of sessions, decayed to `last_at`.
    """

    count: int
    last_at: float
    weight: float

    def plus(self, other: "PastSessions", half_life_s: float) -> "PastSessions":
        """Return both together."""
        last_at = max(self.last_at, other.last_at)
        weight = self.decayed(last_at, half_life_s) + other.decayed(last_at, half_life_s)
        return PastSessions(self.count + other.count, last_at, weight)

    def without(self, count: int) -> "PastSessions":
        """Return them less some sessions of mean weight."""
        left = max(0, self.count - count)
        return PastSessions(left, self.last_at, self.weight * left / self.count)

    def decayed(self, at: float, half_life_s: float) -> float:
        """Return the number of sessions, decayed to a time not before `last_at`."""
        return self.weight * float(2.0 ** ((self.last_at - at) / half_life_s))


History = dict[str, dict[str, PastSessions]]
"""Past sessions by product and relation."""

EntryTimes = Mapping[str, Mapping[str, float]]
"""The products of a session by relation, with their entry times in seconds since 1970."""


def archive(
    history: History, entry_times: EntryTimes, returned: Iterable[str], parameters: BehaviorParameters
) -> None:
    """Add the products of a session that the row drops, in place, and keep the best within the bound.

    Args:
        history: The history of the shopper.
        entry_times: The products of the session.
        returned: The products whose purchase was returned: they were not bought.
        parameters: Half-life, and the bound on products.
    """
    _add_session(history, entry_times, returned, parameters)
    _prune(history, parameters)


def merge_history(history: History, other: History, parameters: BehaviorParameters) -> None:
    """Add the history of another row of the same shopper, in place."""
    _add_history(history, other, parameters)
    _prune(history, parameters)


def history_since(history: History, until: float) -> History:
    """Return a history without what occurred up to a time, in seconds since 1970.

    Sessions have no times of their own here: of those with a later one, only that one is left.
    """
    kept: History = {}
    for product, by_relation in history.items():
        later = {
            relation: PastSessions(1, past.last_at, 1.0)
            for relation, past in by_relation.items()
            if past.last_at > until
        }
        if later:
            kept[product] = later
    return kept


def shopper_products(
    history: History,
    sessions: Sequence[tuple[EntryTimes, Iterable[str]]],
    returns: Mapping[str, int],
    parameters: BehaviorParameters,
) -> list[ShopperProduct]:
    """Rank the products that a shopper dealt with.

    Args:
        history: The products of dropped sessions.
        sessions: The products of each session of the row, and those whose purchase was returned.
        returns: By product, the number of returns whose purchase is in no session of the row: they take back
            purchases of the history.
        parameters: Half-life, and the number of products to return.

    Returns:
        The products with the highest score times weight of the action; ties by id. A score is the number of
        sessions, decayed to the latest time in them.
    """
    together: History = {}
    _add_history(together, history, parameters)
    bought = Relation.BOUGHT.value
    for product, count in returns.items():
        past = together.get(product, {}).get(bought)
        if past is not None:
            together[product][bought] = past.without(count)
    for entry_times, returned in sessions:
        _add_session(together, entry_times, returned, parameters)
    latest = max(
        (past.last_at for by_relation in together.values() for past in by_relation.values()), default=0.0
    )
    ranked = []
    for product, by_relation in together.items():
        for action, relation in STRONGEST:
            past = by_relation.get(relation)
            if past is not None and past.count > 0:
                score = past.decayed(latest, parameters.repurchase_half_life_s)
                ranked.append((-score * ACTION_WEIGHT[action], product, action, past, score))
                break
    ranked.sort(key=lambda each: each[:2])
    return [
        ShopperProduct(
            product_id=product,
            action=action,
            count=past.count,
            last_at=instant(past.last_at),
            score=round(score, 6),
        )
        for _, product, action, past, score in ranked[: parameters.shopper_products_top]
    ]


def _add_session(
    history: History, entry_times: EntryTimes, returned: Iterable[str], parameters: BehaviorParameters
) -> None:
    left_out = set(returned)
    for _, relation in STRONGEST:
        for product, time in entry_times.get(relation, {}).items():
            if relation != Relation.BOUGHT.value or product not in left_out:
                _add(history, product, relation, PastSessions(1, time, 1.0), parameters)


def _add_history(history: History, other: History, parameters: BehaviorParameters) -> None:
    for product, by_relation in other.items():
        for relation, past in by_relation.items():
            _add(history, product, relation, past, parameters)


def _add(
    history: History, product: str, relation: str, past: PastSessions, parameters: BehaviorParameters
) -> None:
    by_relation = history.setdefault(product, {})
    known = by_relation.get(relation)
    by_relation[relation] = past if known is None else known.plus(past, parameters.repurchase_half_life_s)


def _prune(history: History, parameters: BehaviorParameters) -> None:
    """Drop the products of the least interest, in place, until the bound holds."""
    excess = len(history) - parameters.shopper_products
    if excess <= 0:
        return
    half_life_s = parameters.repurchase_half_life_s

    def interest(product: str) -> tuple[float, str]:
        # Logarithms compare weights of all times without a common time to decay to.
        interests = (
            log2(past.weight * ACTION_WEIGHT[action]) + past.last_at / half_life_s
            for action, relation in STRONGEST
            if (past := history[product].get(relation)) is not None
        )
        return max(interests), product

    for product in sorted(history, key=interest)[:excess]:
        del history[product]
