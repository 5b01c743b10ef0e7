"""Open Food Facts (and Beauty, Pet Food, Products): the JSON Lines and the tab-separated export."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from schemas.formats.csv_rows import csv_rows
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.joined import joined
from schemas.formats.json_rows import json_rows
from schemas.formats.listing import joined_texts, listing
from schemas.formats.row import Fields, ImportOptions, Row, invalid_row
from schemas.formats.values import path, plain_text, utc_time

_TELLING = {
    "categories_tags",
    "nutriments",
    "nutriscore_grade",
    "states_tags",
    "brands_tags",
    "countries_tags",
}


class OpenFoodFacts(Format):
    """Products of Open Food Facts."""

    name = "openfoodfacts"
    kind = Kind.PRODUCTS
    title = "Open Food Facts: JSON Lines, JSON of the API, or the tab-separated export"

    def matches(self, head: Head) -> float:
        """A barcode beside the columns of the database."""
        names = head.columns | head.keys
        for each in head.objects:
            product = each.get("product")
            names |= product.keys() if isinstance(product, dict) else set()
        return 0.95 if "code" in names and len(_TELLING & names) >= 2 else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """Products. In the table a quotation mark is a character."""
        start = stream.read(4096)
        stream = joined(start, stream)
        if start.lstrip()[:1] not in (b"{", b"["):
            quoted = b"\t" not in start.partition(b"\n")[0]
            yield from csv_rows(stream, quoted=quoted, required=("code",))
            return
        for row in json_rows(stream, ("products",)):
            # The API answers for one product with an envelope.
            product = row.fields.get("product")
            yield Row(row.place, product, row.used, row.fault) if isinstance(product, dict) else row

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """One listing per product that has a name."""
        title, language = _title(row, options)
        if not title:
            raise invalid_row("product_name", "the product has no name")
        images = [row.first("image_url", "image_front_url")]
        brands = [part.strip() for part in _words(row.get("brands"))]
        attributes = {
            "quantity": row.text("quantity"),
            "packaging": row.first("packaging", "packaging_text"),
            "labels": joined_texts(_tags(row.get("labels_tags"))),
            "ingredients": joined_texts(_tags(row.get("ingredients_tags"))[:5]),
        }
        yield listing(
            row.text("code"),
            "code",
            options,
            title=title,
            description=plain_text(row.text("generic_name")),
            brand=brands[0] if brands else None,
            language=language,
            image_url=images[0],
            url=row.text("url"),
            shop_category=_category(row),
            gtin=row.text("code"),
            occurred_at=utc_time(row.get("last_modified_t")),
            attributes=attributes,
        )


def _title(row: Row, options: ImportOptions) -> tuple[str, str | None]:
    """The name in the language of the options, or else the main one; and its language."""
    wanted = options.language
    if wanted is not None and (name := plain_text(row.text(f"product_name_{wanted}"))):
        return name, wanted
    main = row.first("lang", "lc") or None
    name = plain_text(row.text("product_name")) or plain_text(row.text(f"product_name_{main}"))
    return name or plain_text(row.first("abbreviated_product_name", "generic_name")), main


def _words(value: Any) -> list[str]:
    """The parts of a list with commas, or of a list."""
    values = value.split(",") if isinstance(value, str) else value
    return (
        [text for text in values if isinstance(text, str) and text.strip()]
        if isinstance(values, list)
        else []
    )


def _tags(value: Any) -> list[str]:
    """The words of tags: `dark chocolate` for `en:dark-chocolate`."""
    return [tag.strip().rpartition(":")[2].replace("-", " ") for tag in _words(value)]


def _category(row: Row) -> str | None:
    """The categories from the general to the special one, as the taxonomy of Open Food Facts orders them."""
    for name in ("categories_hierarchy", "categories_tags"):
        # Tags without a translation are in the language of who wrote them.
        levels = [tag for tag in _words(row.get(name)) if tag.strip().startswith("en:")] or _words(
            row.get(name)
        )
        if levels:
            return path(words.capitalize() for words in _tags(levels))
    return path(_words(row.first("categories_en", "categories")))
