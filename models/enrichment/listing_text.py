"""The description of a listing, and its text without markup."""

from msgspec.structs import replace

from models.enrichment.category_evidence import ListingText, title_words
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


def text_with_description(product: ProductCreated, text: ListingText) -> ListingText | None:
    """A listing's text with its description, for text encoders.

    Args:
        product: The listing, without markup.
        text: The listing's text without its description.

    Returns:
        The text; None if the listing has no title or no word in its description.
    """
    description = clean(product.description)[:DESCRIPTION_CHARACTERS] if title_words(product.title) else ""
    if not tokens(description):
        return None
    return text._replace(text=join_description(text.text, description))
