"""Which purchases were returned, as a pure function of the times of purchases and returns.

A return takes back the shopper's latest purchase of the product before it that no other return takes back. A
session counts as one purchase of each product, at its entry time. Since only times decide, a return may
arrive before its purchase. Purchases of sessions that the row has dropped stay as they are.
"""

from bisect import insort
from collections.abc import Sequence

from models.behavior.shopper_row import OpenSession, ShopperState
from schemas.events import Relation

_BOUGHT = Relation.BOUGHT.value


def add_return(state: ShopperState, product: str, time: float, bound: int) -> None:
    """Note a return, in place. A second one at the same time is the same. The oldest are dropped."""
    times = state.returns.setdefault(product, [])
    if time not in times:
        insort(times, time)
    while sum(map(len, state.returns.values())) > bound:
        oldest = min(state.returns, key=lambda name: (state.returns[name][0], name))
        _remove(state, oldest, 0)


def add_returns(state: ShopperState, returns: dict[str, list[float]], bound: int) -> None:
    """Add the returns of another row of the same shopper, in place."""
    for product, times in returns.items():
        for time in times:
            add_return(state, product, time, bound)


def returned_sessions(state: ShopperState, product: str) -> Sequence[tuple[OpenSession, bool]]:
    """Return the sessions that bought a product, each with whether the purchase was returned."""
    bought = sorted(
        (
            (session.entry_times[_BOUGHT][product], session.session_id, number)
            for number, session in enumerate(state.sessions)
            if product in session.entry_times.get(_BOUGHT, ())
        )
    )
    # At equal times the purchase comes first.
    events = [(time, 0, number) for time, _, number in bought]
    events += [(time, 1, -1) for time in state.returns.get(product, ())]
    kept: list[int] = []
    returned = set[int]()
    for _, is_return, number in sorted(events, key=lambda event: event[:2]):
        if not is_return:
            kept.append(number)
        elif kept:
            returned.add(kept.pop())
    return [(state.sessions[number], number in returned) for _, _, number in bought]


def forget_returns(state: ShopperState, session: OpenSession) -> None:
    """Forget the returns of a dropped session's purchases: they must not take back other ones."""
    for product in session.returned:
        time = session.entry_times.get(_BOUGHT, {}).get(product)
        later = [at for at, each in enumerate(state.returns.get(product, ())) if time is None or each >= time]
        if later:
            _remove(state, product, later[0])


def _remove(state: ShopperState, product: str, at: int) -> None:
    times = state.returns[product]
    del times[at]
    if not times:
        del state.returns[product]
