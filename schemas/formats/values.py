"""Values as catalogs write them: prices, barcodes, text with markup, category paths, times."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from schemas.formats.extras import required_extra

_PLAIN_PRICE = re.compile(r"(\d+(?:\.\d+)?)(?:\s*([A-Z]{3}))?")
_LONGEST_PRICE = 60
"""Characters of a price. A longer text is none, and takes long to search."""
_CODE = re.compile(r"(?<![A-Za-z])([A-Z]{3})(?![A-Za-z])")
_SYMBOLS = {"€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₩": "KRW", "₺": "TRY", "₴": "UAH", "zł": "PLN"}
"""Symbols of one currency alone. `$`, `¥` and `kr` stand for several."""
_MARKUP = re.compile(r"<[a-zA-Z!/]|&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]+\d*);")
_BLANKS = re.compile(r"[ \t\r\f\v\u00a0]+")
_LINES = re.compile(r"\s*\n\s*")
_BLOCKS = re.compile(r"(<(?:p|div|li|br|h\d|tr|ul|ol|table)\b|</(?:p|div|h\d)>)", re.IGNORECASE)
_GTIN_LENGTHS = {8, 12, 13, 14}
_LEVELS = re.compile(r"\s*>\s*")


@lru_cache(maxsize=1)
def currencies() -> frozenset[str]:
    """Return all ISO 4217 codes."""
    with required_extra("Reading prices"):
        from babel.numbers import list_currencies

        return frozenset(list_currencies())


def price(value: Any, currency: str | None = None) -> dict[str, Any] | None:
    """Read a price.

    Args:
        value: A number, or text such as `19.99 EUR`, `1.299,00 €` or `$5`.
        currency: The currency if the value names none. An ambiguous symbol (`$`) names none.

    Returns:
        `{"amount", "currency"}`, without `currency` if none is known. None if there is no price, or a
        negative one.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _price(float(value), currency)
    text = str(value).strip()
    if not text or len(text) > _LONGEST_PRICE:
        return None
    plain = _PLAIN_PRICE.fullmatch(text)
    if plain is not None:
        return _price(float(plain[1]), plain[2] if plain[2] in currencies() else currency)
    return _parsed_price(text, currency)


def _parsed_price(text: str, currency: str | None) -> dict[str, Any] | None:
    with required_extra("Reading prices"):
        from price_parser import Price
    found = Price.fromstring(text)
    if found.amount is None:
        return None
    code = next((code for code in _CODE.findall(text) if code in currencies()), None)
    symbol = next((name for mark, name in _SYMBOLS.items() if mark in text), None)
    return _price(float(found.amount), code or symbol or currency)


def _price(amount: float, currency: str | None) -> dict[str, Any] | None:
    if not 0 <= amount < 1e15:
        return None
    return {"amount": amount} if currency is None else {"amount": amount, "currency": currency}


def gtin(value: Any) -> str | None:
    """Return a GTIN-8, 12, 13 or 14 whose check digit is right, or None. Blanks and hyphens are dropped.

    A table program may have put an apostrophe or `="…"` around the number; these are dropped too.
    """
    text = re.sub(r"[\s\-'\"=]", "", str(value)) if value is not None else ""
    if len(text) not in _GTIN_LENGTHS or not text.isdecimal() or not text.isascii():
        return None
    with required_extra("Checking barcodes"):
        from stdnum import ean
    return text if ean.is_valid(text) and int(text) else None


def plain_text(value: Any) -> str:
    """Return text without markup, scripts and styles, with its paragraphs on lines of their own."""
    if not value or not isinstance(value, str):
        return ""
    text = value
    if ("<" in text or "&" in text) and _MARKUP.search(text):
        text = _without_markup(text)
    return _LINES.sub("\n", _BLANKS.sub(" ", text)).strip()


def _without_markup(text: str) -> str:
    with required_extra("Reading descriptions with markup"):
        from selectolax.lexbor import LexborHTMLParser
    # A line end in markup is a blank; tags that begin a block begin a line.
    tree = LexborHTMLParser(_BLOCKS.sub(r"\n\1", text))
    tree.strip_tags(["script", "style", "template", "iframe", "noscript"])
    return tree.body.text(separator="") if tree.body is not None else ""


def path(levels: Iterable[Any]) -> str | None:
    """Join the levels of a category by ` > `; empty levels are left out. None if there is none."""
    names = [" ".join(str(level).split()) for level in levels if level]
    return " > ".join(name for name in names if name) or None


def split_path(text: str) -> str | None:
    """Return a path `A > B` with one blank around each `>`. None if it is empty."""
    return path(_LEVELS.split(text.strip()))


def utc_time(value: Any) -> str | None:
    """Return a time as the contract writes it, or None.

    Args:
        value: ISO 8601 (a time without a zone is UTC), or seconds since 1970 as a number or digits.
    """
    try:
        if isinstance(value, int | float) or (isinstance(value, str) and value.isdigit()):
            time = datetime.fromtimestamp(float(value), UTC)
        elif isinstance(value, str) and len(value) > len("2024-05-01"):
            time = datetime.fromisoformat(value)
        else:
            return None
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return time.isoformat().replace("+00:00", "Z")
