"""Which attributes apply to a product, by the name of its department."""

import re

# Names of food departments in Google's tree and in shops' own trees.
_FOOD = re.compile(r"\b(?:foods?|grocery|groceries|beverages?)\b|食品|生鲜|饮料|零食", re.IGNORECASE)
_WITHOUT_APPEARANCE = frozenset({"Health & Beauty", "Business & Industrial", "Software", "Media"})


def is_food(department: str) -> bool:
    """Whether the products of a department are food or drink.

    Args:
        department: The name of the category's root.
    """
    return _FOOD.search(department) is not None


def has_appearance(department: str) -> bool:
    """Whether color, material and the like are attributes of a department's products.

    Args:
        department: The name of the category's root.
    """
    return department not in _WITHOUT_APPEARANCE and not is_food(department)
