"""The text of a listing that decides its category."""

from msgspec.structs import replace

from models.attributes.extractor import attributes_text
from models.text.cleaning import clean, join_description
from models.text.features import tokens
from models.text.markup import plain_text
from schemas.events import ProductCreated

DESCRIPTION_CHARACTERS = 400
"""The most characters of a description. Its beginning names the product, the rest what goes with it."""


def without_markup(product: ProductCreated) -> ProductCreated:
    """The listing with text in place of the HTML of its title and description; itself if it has none."""
    title, description = plain_text(product.title), plain_text(product.description)
    if title is product.title and description is product.description:
        return product
    return replace(product, title=title, description=description)


def classified_text(product: ProductCreated) -> str:
    """The cleaned title with the values of the seller's own attributes; the description if both are empty."""
    text = clean(product.title)
    if product.attributes:
        text = f"{text} {clean(attributes_text(product.attributes))}".strip()
    return text or clean(product.description)


def text_with_description(product: ProductCreated, text: str) -> str | None:
    """A listing's text with its description, for text encoders.

    Args:
        product: The listing.
        text: The listing's `classified_text`.

    Returns:
        The text; None if the listing has no title or no word in its description.
    """
    description = clean(product.description)[:DESCRIPTION_CHARACTERS] if clean(product.title) else ""
    return join_description(text, description) if tokens(description) else None
