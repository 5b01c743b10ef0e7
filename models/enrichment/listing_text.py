"""What of a listing decides its category."""

from models.attributes.extractor import attributes_text
from models.text.cleaning import clean, described
from models.text.features import tokens
from schemas.events import ProductCreated

DESCRIPTION_CHARACTERS = 400
"""Read of a description: its beginning says what the product is, the rest what it goes with."""


def classified_text(product: ProductCreated) -> str:
    """The cleaned text that decides the category.

    The title and the values of the shop's own attributes; the description instead where there is no title.
    """
    text = clean(product.title)
    if product.attributes:
        text = f"{text} {clean(attributes_text(product.attributes))}".strip()
    return text or clean(product.description)


def fuller_text(product: ProductCreated, text: str) -> str | None:
    """The same with the description, for text encoders; None where there is no word of one besides the title.

    Args:
        product: The listing.
        text: Its `classified_text`.
    """
    description = clean(product.description)[:DESCRIPTION_CHARACTERS] if clean(product.title) else ""
    return described(text, description) if tokens(description) else None
