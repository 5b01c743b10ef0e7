"""schema.org products: JSON-LD from files and from HTML pages, and microdata of HTML pages.

Nodes of the type Product are found wherever they are: in `@graph`, in lists, within a page's main entity.
Each variant of a ProductGroup is a listing, and `group_id` is the group.
"""

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from schemas.errors import InvalidFile
from schemas.formats.extras import required_extra
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.joined import joined
from schemas.formats.json_ld_values import (
    GTINS,
    PRODUCTS,
    as_list,
    node_attributes,
    offered,
    plain_node,
    text,
    types,
)
from schemas.formats.json_rows import json_rows
from schemas.formats.listing import listing
from schemas.formats.row import Fields, ImportOptions, Row
from schemas.formats.values import path, plain_text, split_path

LONGEST_PAGE = 64 * 1024 * 1024
"""Longest HTML page."""

_CANONICAL = re.compile(
    r"<link\b(?=[^>]*\brel=[\"']canonical[\"'])[^>]*\bhref=[\"']([^\"']+)[\"']", re.IGNORECASE
)
"""The address of a page, for a product that does not say its own."""

_DEEPEST = 12
"""Levels below which no product is searched."""


class JsonLd(Format):
    """Products in the words of schema.org."""

    name = "jsonld"
    kind = Kind.PRODUCTS
    title = "schema.org products: JSON-LD, or HTML pages with JSON-LD or microdata"

    def matches(self, head: Head) -> float:
        """A context of schema.org, or HTML."""
        if head.is_markup:
            return 0.6 * (head.is_html or ("schema.org" in head.text and "<rss" not in head.text[:2000]))
        if not head.is_json:
            return 0.0
        if "@context" in head.text[:20_000] and "schema.org" in head.text:
            return 0.9
        return 0.5 if '"@type"' in head.text and "Product" in head.text else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """Products and groups of products."""
        start = stream.read(4096)
        stream = joined(start, stream)
        used: set[str] = set()
        if start.lstrip()[:1] == b"<":
            documents = _documents_of_page(stream, used)
        else:
            documents = json_rows(stream, ("@graph", "itemListElement"))
        for document in documents:
            if document.fault is not None:
                yield document
                continue
            document.used.update(("@type", "@context"))
            for number, node in enumerate(_products(document.fields, 0), 1):
                yield Row(f"{document.place}, product {number}", node, document.used)

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """One listing per product; for a group one per variant, or one if it names no variants."""
        variants = [
            each
            for each in as_list(row.get("hasVariant"))
            if isinstance(each, Mapping) and each.keys() - {"@id"}
        ]
        if "ProductGroup" not in types(row.fields) or not variants:
            yield _event(row, None, options)
            return
        for each in variants:
            yield _event(Row(row.place, plain_node(each), row.used), row, options)


def _documents_of_page(stream: BinaryIO, used: set[str]) -> Iterator[Row]:
    """The JSON-LD blocks of a page, and its microdata if they have no product."""
    with required_extra("Reading HTML"):
        from extruct.jsonld import JsonLdExtractor
        from extruct.w3cmicrodata import MicrodataExtractor
    page = stream.read(LONGEST_PAGE + 1)
    if len(page) > LONGEST_PAGE:
        raise InvalidFile(f"the page is longer than {LONGEST_PAGE // 2**20} MiB")
    content = page.decode("utf-8", errors="replace")
    address = _CANONICAL.search(content)
    found = False
    for place, extractor in (
        ("JSON-LD", JsonLdExtractor()),
        ("microdata", MicrodataExtractor(add_text_content=False)),
    ):
        if found:
            return
        try:
            blocks = extractor.extract(content)
        except (ValueError, LookupError, RecursionError) as error:
            yield Row(place, {}, used, f"the page's {place} cannot be read ({error})")
            continue
        for number, block in enumerate(blocks, 1):
            if isinstance(block, Mapping):
                nodes = list(_products(block, 0))
                found = found or bool(nodes)
                if len(nodes) == 1 and address is not None:
                    nodes[0].setdefault("url", html.unescape(address[1]))
                yield Row(f"{place} {number}", {"nodes": nodes}, used)


def _products(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    """The nodes that are products or groups, outermost first; what is within a product belongs to it."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            yield from _products(each, depth + 1)
    elif isinstance(value, Mapping):
        node = plain_node(value)
        if types(node) & PRODUCTS:
            yield node
            return
        for each in node.values():
            if isinstance(each, Mapping | list):
                yield from _products(each, depth + 1)


def _event(row: Row, group: Row | None, options: ImportOptions) -> tuple[str, Fields]:
    def own(name: str) -> Any:
        """The value of a variant, or else of its group."""
        value = row.get(name)
        return group.get(name) if value in (None, "", [], {}) and group is not None else value

    prices = offered(own("offers"), options.currency)
    images = [text(each) for each in as_list(own("image"))]
    images = [image for image in images if image]
    gtins = [text(row.get(name)) for name in GTINS]
    attributes: dict[str, str] = {}
    for each in (group, row):
        own_attributes = node_attributes(each) if each is not None else {}
        attributes |= {name: value for name, value in own_attributes.items() if value}
    return listing(
        _product_id(row),
        "sku, productID, gtin, @id and url",
        options,
        title=plain_text(text(own("name"))),
        description=plain_text(text(own("description"))),
        brand=plain_text(text(own("brand")) or text(own("manufacturer"))),
        price=prices.price,
        sale_price=prices.sale_price,
        availability=prices.availability,
        seller=prices.seller,
        image_url=images[0] if images else None,
        images=images[1:],
        url=text(row.get("url")) or prices.url or text(own("url")),
        shop_category=_category(own("category")),
        group_id=_group_id(row, group),
        sku=text(row.get("sku")) or prices.sku,
        gtin=next((gtin for gtin in gtins if gtin), prices.gtin),
        language=text(own("inLanguage"))[:2].lower() or None,
        attributes=attributes,
    )


def _product_id(row: Row) -> str:
    """The id of a product: what the shop calls it, or else its address."""
    named = row.first("sku", "productID", "productId", "mpn")
    barcode = next((text(row.get(name)) for name in GTINS if row.get(name)), "")
    address = text(row.get("@id")) or text(row.get("url"))
    offer = offered(row.get("offers"), None)
    return (named or offer.sku or barcode or address or offer.url)[:256]


def _group_id(row: Row, group: Row | None) -> str | None:
    given = row.text("inProductGroupWithID")
    parent = row.get("isVariantOf")
    if isinstance(parent, Mapping):
        parent = plain_node(parent)
        given = given or text(parent.get("productGroupID")) or text(parent.get("@id"))
    if group is not None:
        given = given or group.text("productGroupID") or text(group.get("@id")) or group.text("sku")
    if not given and "ProductGroup" in types(row.fields):
        given = row.text("productGroupID")
    return given or None


def _category(value: Any) -> str | None:
    names = [name for each in as_list(value) if (name := text(each))]
    if len(names) > 1:
        return path(names)
    return split_path(names[0].replace(" / ", " > ")) if names else None
