"""The confidence of each attribute: its precision on the hand-read sample, by the field that states it."""

FIELD_CONFIDENCE = 0.95
"""The confidence of a value of the listing's own fields."""
_TITLE = {
    "colour": 0.96, "gender": 0.95, "age_group": 0.97, "material": 0.95, "size": 0.97, "dimensions": 0.97,
    "volume": 0.97, "weight": 0.97, "length": 0.96, "screen_size": 0.9, "power": 0.97, "battery": 0.9,
    "memory": 0.9, "storage": 0.96, "pack_quantity": 0.96, "season": 0.9, "usage": 0.97,
}  # fmt: skip
"""English. 0.9 where fewer than 30 occurrences were read, and 0.97 at most."""
_CHINESE_TITLE = {
    "colour": 0.85, "gender": 0.88, "age_group": 0.9, "material": 0.9, "season": 0.97, "usage": 0.95,
    "size": 0.93, "volume": 0.95, "weight": 0.96, "pack_quantity": 0.9,
}  # fmt: skip
"""Of words and quantities in Chinese titles, on the hand-read sample."""
_DESCRIPTION = {"colour": 0.97, "material": 0.96, "dimensions": 0.97, "weight": 0.97, "pack_quantity": 0.97}


def title_confidence(attribute: str, *, is_chinese: bool) -> float:
    """Return the confidence of an attribute that a word of the title states."""
    return (_CHINESE_TITLE if is_chinese else _TITLE).get(attribute, _TITLE[attribute])


def description_confidence(attribute: str) -> float:
    """Return the confidence of an attribute that the description states."""
    return _DESCRIPTION[attribute]
