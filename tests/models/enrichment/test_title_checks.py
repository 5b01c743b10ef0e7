"""Sure titles that a person should look at."""

import numpy as np
import pytest

from models.enrichment.title_checks import HEAD_NOUN, SENSITIVE, TitleChecks
from models.student.classifier import Classification
from models.taxonomy.tree import Taxonomy

GOOGLE = Taxonomy.google()
CHECKS = TitleChecks(GOOGLE)
FOOD, OFFICE, MATURE, HEALTH = 412, 922, 772, 469


def sure(department: int, confidence: float = 0.99) -> Classification:
    index = GOOGLE.node(department).index
    return Classification(index, confidence, True, (), np.zeros(1, dtype=np.int8))


@pytest.mark.parametrize(
    ("title", "department", "reason"),
    [
        ("chocolate bar pen", FOOD, HEAD_NOUN.format("pen")),
        ("chocolate bar pen", OFFICE, None),
        ("precise eyeliner pen", HEALTH, None),
        ("milk chocolate bar", FOOD, None),
        ("ice cream cone keyring", FOOD, HEAD_NOUN.format("keyring")),
        ("ice cream with keyring", FOOD, None),
        ("glow whip", MATURE, SENSITIVE),
    ],
)
def test_titles(title: str, department: int, reason: str | None) -> None:
    assert CHECKS.conflict(title, sure(department)) == reason


def test_a_higher_confidence_is_enough_for_a_sensitive_category() -> None:
    assert CHECKS.conflict("hunting rifle", sure(MATURE, 0.999)) is None


def test_own_trees_have_no_known_departments() -> None:
    tree = Taxonomy("tiny-1", {772: ("Pens",), 412: ("Food",)}, {})
    result = Classification(1, 0.99, True, (), np.zeros(1, dtype=np.int8))
    assert TitleChecks(tree).conflict("chocolate bar pen", result) is None


def test_departments_of_head_nouns_are_departments() -> None:
    departments = {id_ for noun in CHECKS.departments for id_ in CHECKS.departments[noun]}
    assert all(GOOGLE.node(id_).index in GOOGLE.roots for id_ in departments)
