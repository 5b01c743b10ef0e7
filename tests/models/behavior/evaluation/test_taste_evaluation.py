"""Rank and log loss of foretold categories, on baskets small enough to compute by hand."""

from datetime import UTC, datetime, timedelta
from math import log

import pytest

from models.behavior.evaluation.learning import split_at
from models.behavior.evaluation.score_table import ScoreTable
from models.behavior.evaluation.tastes import evaluate_tastes
from models.behavior.parameters import BehaviorParameters
from models.behavior.taste_mean import ProductLabels
from schemas.events import Action, UserBehavior

START = datetime(2024, 1, 1, tzinfo=UTC)
LABELS = {name: ProductLabels((), name[0]) for name in ("a1", "a2", "b1", "b2")}


def purchase(user: str | None, product: str, day: float) -> UserBehavior:
    return UserBehavior(
        occurred_at=START + timedelta(days=day),
        product_id=product,
        action=Action.PURCHASE,
        user_id=user,
        session_id=f"{user}-{day}",
    )


def evaluated(*events: UserBehavior) -> ScoreTable:
    split = split_at(events, (START + timedelta(days=10)).timestamp())
    return evaluate_tastes(split, LABELS, BehaviorParameters(), lambda *_: None)


LEARNED = (
    purchase("u", "a1", 9),
    purchase("v", "b1", 9),
    purchase("v", "b2", 9.5),
    purchase("w", "b1", 9),
    purchase(None, "a1", 9),
)


def test_popularity_and_the_shopper_s_own_categories_are_scored() -> None:
    table = evaluated(*LEARNED, purchase("u", "a1", 11), purchase("u", "unknown", 11))
    popularity, own, published = table.rows
    share = 1 / (1 + 2 + 2 ** (0.5 / 30))
    assert popularity.values[:2] == pytest.approx((0.5, -log(share)), rel=1e-3)
    assert own.values == (1.0, 0.0, None, None)
    assert published.ours
    assert published.values[1] is not None
    assert 0.0 < published.values[1] < -log(share)


def test_new_products_guests_and_first_baskets() -> None:
    table = evaluated(*LEARNED, purchase("u", "b1", 11), purchase("x", "b1", 11), purchase(None, "b1", 11))
    popularity, own, _ = table.rows
    assert popularity.values[0] == popularity.values[2] == 1.0
    assert own.values == pytest.approx((0.0, -log(1e-6), 0.0, -log(1e-6)))
    assert "1 products with a category, 1 of them new, of 1 baskets" in table.notes[0]
