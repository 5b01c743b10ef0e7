"""The mark of a shopper whose products were unknown: a row in the table of shoppers."""

from typing import ClassVar

from streams.agents.marks import Mark


class UnlabeledMark(Mark, frozen=True):
    """The products of a shopper that had no labels.

    Attributes:
        products: The products, as the shopper's row names them.
    """

    version: ClassVar[int] = 3
    meaning: ClassVar[str] = "the mark of a shopper with unknown products"
    products: list[str]
