"""The match of an attribute's value in a text."""

from typing import NamedTuple


class AttributeMatch(NamedTuple):
    """A value of an attribute at characters [start, end) of a field's text.

    Attributes:
        name: The attribute, such as `size`.
        value: The normalized value.
        start: Index of the first character.
        end: Index after the last character.
        confidence: The expected precision, in [0, 1].
        unit: The unit of a quantity, or None.
    """

    name: str
    value: str
    start: int
    end: int
    confidence: float
    unit: str | None = None
