"""Evaluates the next item that is viewed in a session, with repeats."""

from collections.abc import Callable, Mapping, Sequence

from models.behavior.evaluation.affinity import TOP
from models.behavior.evaluation.baskets import baskets
from models.behavior.evaluation.learning import Progress, Split, learn_affinities, related_products
from models.behavior.evaluation.pair_counts import decayed, popular
from models.behavior.evaluation.recommending import related_list
from models.behavior.evaluation.score_table import ScoreRow, ScoreTable
from models.behavior.evaluation.session_neighbors import SessionNeighbors
from models.behavior.event_time import seconds
from models.behavior.next_products import next_products
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import RELATION_OF
from schemas.events import AffinityUpdated, Relation, UserBehavior
from schemas.keys import shopper_id

Ranking = Callable[[Sequence[str]], Sequence[str]]
"""Returns the items to expect next after the items of a session, best first."""

_POPULARITY_HALF_LIFE_DAYS = 3.0


def evaluate_next_item(split: Split, parameters: BehaviorParameters, progress: Progress) -> ScoreTable:
    """Score the next viewed item from published rows, beside baselines.

    Args:
        split: Behavior to learn from and to score.
        parameters: The parameters of the agents.
        progress: Receives the progress.
    """
    earlier = view_sequences(split.learned, parameters.session_gap_s)
    scored = [each for each in view_sequences(split.scored, parameters.session_gap_s) if len(each) > 1]
    aggregator = learn_affinities(split.learned, parameters, progress)
    updates = {update.product_id: update for update in aggregator.updates()}
    viewed = baskets(split.learned, Relation.VIEWED, parameters.session_gap_s)
    best = popular(viewed, decayed(split.start, _POPULARITY_HALF_LIFE_DAYS), TOP)
    neighbors = SessionNeighbors(earlier)
    ways: list[tuple[str, Ranking, bool]] = [
        (f"popularity, half-life {_POPULARITY_HALF_LIFE_DAYS:g} days", lambda _: best, False),
        ("the session's items, latest first", lambda items: list(dict.fromkeys(reversed(items))), False),
        ("V-SKNN", lambda items: neighbors.next_items(items, TOP), False),
        (
            "published row of the last item",
            lambda items: related_products(updates.get(items[-1]), Relation.VIEWED),
            True,
        ),
    ]
    ways.append(("published, next_products", _published(updates), True))
    rows = []
    for number, (name, ranking, ours) in enumerate(ways, start=1):
        rows.append(ScoreRow(name, next_item_metrics(scored, ranking), ours))
        progress("Scoring", number, len(ways))
    steps = sum(len(items) - 1 for items in scored)
    return ScoreTable(
        title="The next viewed item, repeats counted",
        columns=(f"recall@{TOP}", f"MRR@{TOP}"),
        rows=rows,
        notes=(
            f"Learned from {len(earlier):,} sessions; scored on {steps:,} steps of {len(scored):,} later.",
        ),
    )


def _published(updates: Mapping[str, AffinityUpdated]) -> Ranking:
    """Return the ranking that is published in shopper-updated, from the lists that a worker keeps."""
    lists = {product: related_list(update) for product, update in updates.items()}

    def ranking(items: Sequence[str]) -> list[str]:
        latest_first = list(dict.fromkeys(reversed(items)))
        return [entry.product_id for entry in next_products(latest_first, lists.get)]

    return ranking


def view_sequences(events: Sequence[UserBehavior], gap_s: float) -> list[list[str]]:
    """Return the viewed items of each session in order, with repeats, in order of the sessions' beginnings.

    Args:
        events: Events in order of time.
        gap_s: The gap that ends a session without an id, in seconds.
    """
    found: list[list[str]] = []
    current: dict[tuple[str, str, str | None], tuple[float, list[str]]] = {}
    for event in events:
        if event.product_id is None or RELATION_OF.get(event.action) is not Relation.VIEWED:
            continue
        key = (event.shop_id or "", shopper_id(event), event.session_id)
        time = seconds(event.occurred_at)
        last_at, items = current.get(key, (time, []))
        if not items or (event.session_id is None and time - last_at > gap_s):
            items = []
            found.append(items)
        items.append(event.product_id)
        current[key] = (time, items)
    return found


def next_item_metrics(scored: Sequence[Sequence[str]], ranking: Ranking) -> tuple[float | None, ...]:
    """Return the recall and the mean reciprocal rank of the next item; None if there are no steps.

    Args:
        scored: Sessions as items in order.
        ranking: Ranks the next items.
    """
    steps, hits, reciprocal = 0, 0, 0.0
    for items in scored:
        for place in range(1, len(items)):
            ranked = list(ranking(items[:place])[:TOP])
            steps += 1
            if items[place] in ranked:
                hits += 1
                reciprocal += 1.0 / (ranked.index(items[place]) + 1)
    return (hits / steps, reciprocal / steps) if steps else (None, None)
