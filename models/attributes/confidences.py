"""The confidence of each attribute: its precision on the hand-read sample, by the field that states it."""

FIELD_CONFIDENCE = 0.95
"""The confidence of a value of the listing's own fields."""
_TITLE = {
    "colour": 0.95, "gender": 0.98, "age_group": 0.95, "material": 0.95, "size": 0.95, "dimensions": 0.95,
    "volume": 0.95, "weight": 0.95, "length": 0.95, "screen_size": 0.95, "power": 0.95, "battery": 0.95,
    "memory": 0.95, "storage": 0.95, "pack_quantity": 0.95, "season": 0.95, "usage": 0.95,
}  # fmt: skip
_CHINESE_TITLE = {
    "colour": 0.85, "gender": 0.87, "age_group": 0.8, "material": 0.8, "season": 0.8, "usage": 0.8,
}  # fmt: skip
_DESCRIPTION = dict.fromkeys(_TITLE, 0.95)


def title_confidence(attribute: str, *, is_chinese: bool) -> float:
    """Return the confidence of an attribute that a word of the title states."""
    return (_CHINESE_TITLE if is_chinese else _TITLE).get(attribute, _TITLE[attribute])


def description_confidence(attribute: str) -> float:
    """Return the confidence of an attribute that the description states."""
    return _DESCRIPTION[attribute]
