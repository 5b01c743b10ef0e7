"""Completed baskets and next items: metrics and baselines equal to their definitions."""

from datetime import UTC, datetime, timedelta
from inspect import getsource
from pathlib import Path

import pytest

from models.behavior.evaluation.basket import evaluate_basket, half_recall
from models.behavior.evaluation.baskets import Basket
from models.behavior.evaluation.complete_basket import complete_basket
from models.behavior.evaluation.learning import split_at
from models.behavior.evaluation.next_item import evaluate_next_item, next_item_metrics, view_sequences
from models.behavior.evaluation.session_neighbors import SessionNeighbors
from models.behavior.parameters import BehaviorParameters
from schemas.events import Action, UserBehavior

DAY = 86_400.0
START = datetime(2024, 1, 1, tzinfo=UTC)


def event(
    product: str, action: Action, minute: float, user: str = "u", session: str | None = "s"
) -> UserBehavior:
    return UserBehavior(
        occurred_at=START + timedelta(minutes=minute),
        product_id=product,
        action=action,
        user_id=user,
        session_id=session,
    )


def nothing(*_: object) -> None:
    """Progress of no interest."""


def test_recall_of_second_halves_by_whether_the_shopper_is_known() -> None:
    scored = [Basket(0.0, "u", ("a", "b", "c", "d"), True), Basket(0.0, "v", ("a", "b"), False)]
    values = half_recall(scored, lambda given, _: ["c", "b"] if "b" in given else ["x"], {"u"})
    assert values == pytest.approx((1 / 3, 1 / 2, 0.0, 1 / 4))
    assert half_recall([], lambda *_: [], set()) == (None, None, None, None)


def test_a_basket_is_completed_by_rows_and_past_purchases() -> None:
    affinities = {
        "a": {
            "sessions": {"bought": 3.0},
            "related": [
                {"product_id": "b", "relation": "bought", "score": 2.0},
                {"product_id": "c", "relation": "viewed", "score": 9.0},
            ],
        }
    }
    shopper = {
        "products": [
            {"product_id": "p", "action": "purchase", "score": 2.0},
            {"product_id": "q", "action": "view", "score": 9.0},
        ]
    }
    assert complete_basket(["a", "unknown"], affinities, shopper) == ["p", "b"]
    assert complete_basket(["a", "b"], affinities, {}) == []


def test_what_is_bought_together_completes_later_baskets() -> None:
    events = [
        event(product, Action.PURCHASE, 1440.0 * day + place, f"u{day}", f"s{day}")
        for day in range(10)
        for place, product in enumerate(["ab", "cd"][day % 2])
    ]
    scores = evaluate_basket(split_at(events, START.timestamp() + 6 * DAY), BehaviorParameters(), nothing)
    assert {row.name: row.values[0] for row in scores.rows}["published rows"] == 1.0


def test_next_items_count_repeats() -> None:
    metrics = next_item_metrics([["a", "b", "a"], ["c"]], lambda items: ["x", "a", "b"])
    assert metrics == pytest.approx((1.0, (1 / 3 + 1 / 2) / 2))
    assert next_item_metrics([["a"]], lambda _: []) == (None, None)


def test_sequences_are_the_views_of_a_session_in_order() -> None:
    events = [
        event("a", Action.VIEW, 0),
        event("a", Action.CLICK, 1),
        event("b", Action.PURCHASE, 2),
        event("c", Action.VIEW, 3, session=None),
        event("d", Action.VIEW, 40, session=None),
    ]
    assert view_sequences(events, 1800.0) == [["a", "a"], ["c"], ["d"]]


def test_items_of_the_most_similar_sessions_come_first() -> None:
    neighbors = SessionNeighbors([["a", "b"], ["x", "y"], ["a", "c", "b"], ["c", "z"]])
    assert neighbors.next_items(["a", "c"], 3) == ["c", "a", "b"]
    assert neighbors.next_items(["unknown"], 3) == []


def test_what_follows_in_earlier_sessions_is_expected_next() -> None:
    events = [
        event(product, Action.VIEW, 1440.0 * day + place, f"u{day}", f"s{day}")
        for day in range(10)
        for place, product in enumerate(["ab", "cd"][day % 2])
    ]
    scores = evaluate_next_item(split_at(events, START.timestamp() + 6 * DAY), BehaviorParameters(), nothing)
    by_name = {row.name: row.values for row in scores.rows}
    assert by_name["published row of the last item"] == (1.0, 1.0)
    assert by_name["published, next_products"][0] == 1.0
    assert by_name["the session's items, latest first"] == (0.0, 0.0)


def test_the_page_shows_the_code_that_is_evaluated() -> None:
    page = Path(__file__).parents[4] / "docs" / "models" / "recommending.md"
    assert f"```python\n{getsource(complete_basket)}```" in page.read_text(encoding="utf-8")
