"""Merges two rows of one shopper: the guest's row and the user's row become one.

The result is the row that one shopper would have had, as far as that does not depend on the order of arrival:
sessions, entry times, pairs, product weights, numbers of events, and recent event ids. The order of arrival
is taken to be that of the sessions' start times: if the guest's events all came before those of the user,
the transitions are equal too.

- Sessions of one shop with the same id become one. So does a session without id and the latest of the other
  row that lies within the gap.
- A pair of products counts once in the merged session, at the later of both entry times: what is missing is
  added, and what was counted twice or at a later time is corrected.
- Transitions add, with that between the two parts of a merged session.
"""

from models.behavior.deltas import DeltaBuilder
from models.behavior.logins import add_guests
from models.behavior.next_behavior import LEAVE, START
from models.behavior.next_products import joined
from models.behavior.parameters import BehaviorParameters
from models.behavior.preference import merge_weights
from models.behavior.sessions import DIGEST_BYTES, add_count, drop_oldest_products, drop_oldest_sessions
from models.behavior.shopper_products import merge_history
from models.behavior.shopper_row import OpenSession, ShopperRow, ShopperState
from schemas.events import Relation

EntryTimes = dict[str, float]


def merged_rows(
    row: ShopperRow, other: ShopperRow, pairs: DeltaBuilder, parameters: BehaviorParameters
) -> ShopperRow:
    """Merge another row of the same shopper into a row.

    Args:
        row: The user's row, which is not changed.
        other: The guest's row, which is not changed.
        pairs: Receives the co-behavior between both, and corrections of it.
        parameters: Session gap (seconds), half-lives and bounds.

    Returns:
        The merged row.

    Raises:
        StopWorker: A row is damaged.
    """
    changed, state = row.copy_for_update()
    _, guest = other.copy_for_update()
    _add_transitions(state, guest)
    merge_weights(state.product_weights, guest.product_weights, parameters)
    merge_history(state.products, guest.products, parameters)
    state.seen = _joined_digests(guest.seen, state.seen, parameters)
    add_guests(state, guest.guests)
    users, guests = list(state.sessions), list(guest.sessions)
    for session in guest.sessions:
        same = _same_session(users, session, parameters.session_gap_s)
        if same is None:
            continue
        users.remove(same)
        guests.remove(session)
        first, second = (session, same) if session.started_at <= same.started_at else (same, session)
        state.sessions.remove(same)
        state.sessions.append(_merged_session(state, first, second, pairs, parameters))
    _count_leaves(state, users, guests)
    state.sessions = sorted([*state.sessions, *guests], key=lambda session: session.started_at)
    if state.sessions:
        drop_oldest_sessions(state, max(state.sessions, key=lambda each: each.last_at), parameters)
    return changed.encoded()


def _add_transitions(state: ShopperState, guest: ShopperState) -> None:
    for last, outcomes in guest.transitions.items():
        for outcome, count in enumerate(outcomes):
            add_count(state, last, outcome, count)


def _joined_digests(guest: bytes, user: bytes, parameters: BehaviorParameters) -> bytes:
    """Join digests of event ids, those of the user last."""
    known = {user[at : at + DIGEST_BYTES] for at in range(0, len(user), DIGEST_BYTES)}
    digests = (guest[at : at + DIGEST_BYTES] for at in range(0, len(guest), DIGEST_BYTES))
    joined = b"".join(digest for digest in digests if digest not in known) + user
    return joined[-DIGEST_BYTES * int(parameters.seen_events) :]


def _same_session(users: list[OpenSession], session: OpenSession, gap_s: float) -> OpenSession | None:
    """Return the user's session that the guest's session is a part of."""
    users = [each for each in users if None in (each.shop, session.shop) or each.shop == session.shop]
    if session.named:
        return next((each for each in users if each.named and each.session_id == session.session_id), None)
    near = (
        each
        for each in users
        if not each.named
        and each.started_at - gap_s <= session.last_at
        and session.started_at - gap_s <= each.last_at
    )
    return max(near, key=lambda each: each.last_at, default=None)


def _merged_session(
    state: ShopperState,
    first: OpenSession,
    second: OpenSession,
    pairs: DeltaBuilder,
    parameters: BehaviorParameters,
) -> OpenSession:
    """Merge two parts of one session, the earlier one first, and count the transition between them."""
    merged = OpenSession(first.session_id, first.named, first.started_at, max(first.last_at, second.last_at))
    merged.events = first.events + second.events
    merged.recent = joined(first.recent, second.recent)
    merged.shop = second.shop if first.shop is None else first.shop
    merged.first = second.first if first.last == START else first.first
    if second.last == START or first.last == START:
        acted = first if second.last == START else second
        merged.previous, merged.last, merged.leave_counted = acted.previous, acted.last, acted.leave_counted
    else:
        if first.leave_counted:
            add_count(state, first.last, LEAVE, -1)
        if second.first != START:
            add_count(state, first.last, second.first, 1)
        only_one = second.previous == START
        merged.previous, merged.last = first.last if only_one else second.previous, second.last
        merged.leave_counted = second.leave_counted
    _merge_runs(merged, first, second)
    for relation in dict.fromkeys([*first.entry_times, *second.entry_times]):
        merged.entry_times[relation] = _merged_entries(
            first.entry_times.get(relation, {}), second.entry_times.get(relation, {}), relation, pairs
        )
        drop_oldest_products(merged.entry_times[relation], parameters)
    return merged


def _merge_runs(merged: OpenSession, first: OpenSession, second: OpenSession) -> None:
    """Set the run of the last product. A run can go on over the border of the parts."""
    last = second if second.run else first
    merged.last_product, merged.run = last.last_product, last.run
    if last is second and first.last_product == second.last_product and second.run == second.events:
        merged.run += first.run


def _count_leaves(state: ShopperState, users: list[OpenSession], guests: list[OpenSession]) -> None:
    """Count that the shopper left the latest session of one row when a session of the other one began."""
    for own, others in ((users, guests), (guests, users)):
        latest = max(own, key=lambda session: session.last_at, default=None)
        if latest is None or latest.leave_counted or latest.last == START:
            continue
        if any(each.started_at >= latest.last_at for each in others):
            add_count(state, latest.last, LEAVE, 1)
            latest.leave_counted = True


def _merged_entries(first: EntryTimes, second: EntryTimes, relation: str, pairs: DeltaBuilder) -> EntryTimes:
    """Merge the entry times of two parts of a session, and emit what changes in their pairs."""
    merged = first | {product: min(time, first.get(product, time)) for product, time in second.items()}
    kind = Relation(relation)
    only_first = [product for product in first if product not in second]
    only_second = [product for product in second if product not in first]
    both = [product for product in first if product in second]
    if only_first:
        for product in only_second:
            times = [max(second[product], first[each]) for each in only_first]
            pairs.add_pairs(product, only_first, times, kind)
    for at, product in enumerate(both):
        for part, others in ((first, only_first), (second, only_second)):
            _move_pairs(product, merged[product], part, others, kind, pairs)
        for other in both[:at]:
            _count_once(product, other, (merged, first, second), kind, pairs)
    return merged


def _move_pairs(
    product: str, time: float, part: EntryTimes, others: list[str], relation: Relation, pairs: DeltaBuilder
) -> None:
    """Correct the times of a product's pairs in one part, in which it entered later than in the other one."""
    moved = [each for each in others if max(part[product], part[each]) != max(time, part[each])]
    if moved:
        pairs.add_pairs(product, moved, [max(time, part[each]) for each in moved], relation, 1.0, 0)
        pairs.add_pairs(product, moved, [max(part[product], part[each]) for each in moved], relation, -1.0, 0)


def _count_once(
    product: str,
    other: str,
    parts: tuple[EntryTimes, EntryTimes, EntryTimes],
    relation: Relation,
    pairs: DeltaBuilder,
) -> None:
    """Correct a pair that both parts counted: the merged session counts it once."""
    weights: dict[float, float] = {}
    for part, weight in zip(parts, (1.0, -1.0, -1.0), strict=True):
        time = max(part[product], part[other])
        weights[time] = weights.get(time, 0.0) + weight
    support = -1
    for time, weight in weights.items():
        if weight:
            pairs.add_pairs(product, [other], [time], relation, weight, support)
            support = 0
