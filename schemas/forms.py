"""The forms of values that are taken beside the canonical one. A form makes the canonical value of another.

Each form gets a decoded JSON value that is not null and a function that notes a part that is left out. It
raises `WrongValue` if it cannot read the whole value. The patterns are parts of the JSON Schemas too.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

from schemas.currencies import CURRENCIES
from schemas.fields import CURRENCY_PATTERN, IDENTIFIER_PATTERN
from schemas.times import BLANKS, read_time

AMOUNT_PATTERN = f"^{BLANKS}[0-9]{{1,15}}(?:\\.[0-9]{{1,10}})?{BLANKS}$"
"""An amount of money as text: digits with a decimal point."""
_AMOUNT = r"(?P<{}>[0-9]{{1,15}}(?:\.[0-9]{{1,10}})?)"
_CODES = "|".join(sorted(CURRENCIES))
PRICE_PATTERN = (
    (f"^{BLANKS}(?:{_AMOUNT.format('first')} *(?:{_CODES})|(?:{_CODES}) *{_AMOUNT.format('last')}){BLANKS}$")
    .replace("?P<first>", "?:")
    .replace("?P<last>", "?:")
)
"""A price in one text: an amount and a code of ISO 4217, in either order."""
LANGUAGE_PATTERN = "^[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*$"
"""The form of a language tag of BCP 47; `_` is taken for `-`."""
GTIN_PATTERN = "^(?:[0-9]{8}|[0-9]{12,14})$"
"""The digits of a GTIN. Its check digit is checked beside."""
GREATEST_NUMBER = 1e15
"""The greatest number that an attribute may have."""
LEAST_IDENTIFIER, GREATEST_IDENTIFIER = -(2**63), 2**63 - 1
"""The numbers that are read as identifiers: those of a database's column."""
NEGATIVE_QUANTITY = "is negative; what comes back is an action of its own, `return`, with a quantity above 0"
"""What is wrong with a quantity below 0. It rejects a purchase, which must not count as a sale."""

_IDENTIFIER = re.compile(IDENTIFIER_PATTERN)
_CURRENCY = re.compile(CURRENCY_PATTERN)
_AMOUNT_TEXT = re.compile(AMOUNT_PATTERN)
_PRICE_TEXT = re.compile(PRICE_PATTERN)
_LANGUAGE = re.compile(LANGUAGE_PATTERN)
_GTIN = re.compile(GTIN_PATTERN)
_NEGATIVE_TEXT = re.compile(f"{BLANKS}-[0-9.]*[1-9][0-9.]*{BLANKS}")
_LETTERS = re.compile("[A-Z]{3}")

PRICE_ADVICE = (
    'write a price as {"amount": 19.99, "currency": "EUR"}, or as one text with a decimal point and the code '
    'of the currency, such as "19.99 EUR"'
)

# The words of Merchant Center and of schema.org. Blanks, hyphens and underscores between words do not count.
AVAILABILITY_WORDS: dict[str, str] = {
    "in stock": "in_stock",
    "in store only": "in_stock",
    "online only": "in_stock",
    "limited availability": "in_stock",
    "available": "in_stock",
    "out of stock": "out_of_stock",
    "sold out": "out_of_stock",
    "unavailable": "out_of_stock",
    "pre order": "preorder",
    "pre sale": "preorder",
    "back order": "backorder",
    "discontinued": "discontinued",
}
_SCHEMA_ORG = "(?:https?://schema\\.org/)?"


class WrongValue(ValueError):
    """A value that a form cannot read.

    Args:
        problem: What is wrong, and what to write.
        part: The path of the wrong part below the field, such as `.amount`.
    """

    def __init__(self, problem: str, part: str = "") -> None:
        super().__init__(problem)
        self.part = part


class LeaveOut(Protocol):
    """Notes that a part of a field is left out."""

    def __call__(self, part: str, problem: str) -> None:
        """Note the part's path below the field, and what is wrong with it."""
        ...


Form = Callable[[Any, LeaveOut], Any]
"""Makes the canonical value of a decoded JSON value."""


def _ignoring_case(words: str) -> str:
    """Return a pattern of words in any case. JSON Schema knows no flag for that."""
    letters = (f"[{each.upper()}{each}]" if each.isalpha() else "[ _-]?" for each in words)
    return "".join(letters)


AVAILABILITY_PATTERN = (
    f"^{BLANKS}{_SCHEMA_ORG}(?:{'|'.join(_ignoring_case(words) for words in AVAILABILITY_WORDS)}){BLANKS}$"
)
"""All texts that are read as an availability."""
_AVAILABILITY = re.compile(AVAILABILITY_PATTERN)
_AVAILABILITY_OF = {words.replace(" ", ""): value for words, value in AVAILABILITY_WORDS.items()}


def as_it_is(value: Any, leave_out: LeaveOut) -> Any:
    """Take the value unchanged."""
    return value


def time(value: Any, leave_out: LeaveOut) -> Any:
    """Read a time; see `schemas.times`."""
    try:
        return read_time(value)
    except ValueError as error:
        raise WrongValue(str(error)) from error


def whole_number(value: Any, leave_out: LeaveOut) -> Any:
    """Read `1.0` as 1: in JSON Schema both are integers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def identifier(value: Any, leave_out: LeaveOut) -> Any:
    """Read a whole number as its digits, and check that an identifier has no control characters."""
    if value == "":
        raise WrongValue("is empty; leave the field out instead")
    value = whole_number(value, leave_out)
    if _is_whole(value) and LEAST_IDENTIFIER <= value <= GREATEST_IDENTIFIER:
        return str(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise WrongValue("is no whole number of up to 64 bits; write it as text, in quotes")
    if isinstance(value, str) and not _IDENTIFIER.fullmatch(value):
        raise WrongValue("contains a control character")
    return value


def quantity(value: Any, leave_out: LeaveOut) -> Any:
    """Check that a quantity is not negative. Its type has the bounds."""
    if (isinstance(value, int | float) and value < 0) or (
        isinstance(value, str) and _NEGATIVE_TEXT.fullmatch(value)
    ):
        raise WrongValue(NEGATIVE_QUANTITY)
    return value


def stock_unit(value: Any, leave_out: LeaveOut) -> Any:
    """Read a whole number as its digits."""
    value = whole_number(value, leave_out)
    return str(value) if _is_whole(value) and 0 <= value <= GREATEST_NUMBER else value


def price(value: Any, leave_out: LeaveOut) -> Any:
    """Read a price: an object with an amount, or one text with an amount and a currency."""
    if isinstance(value, str):
        return _price_of_text(value)
    if not isinstance(value, dict):
        raise WrongValue(PRICE_ADVICE)
    amount = value.get("amount")
    if isinstance(amount, str) and _AMOUNT_TEXT.fullmatch(amount):
        amount = float(amount)
    if amount is None:
        raise WrongValue(f"is missing; {PRICE_ADVICE}", ".amount")
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise WrongValue(f"is not a number; {PRICE_ADVICE}", ".amount")
    if not 0 <= amount <= 1.7e308:
        raise WrongValue("must be at least 0", ".amount")
    currency = value.get("currency")
    if not isinstance(currency, str | None) or not is_currency(currency):
        leave_out(".currency", "must be three capital letters (ISO 4217), such as EUR")
        currency = None
    return {"amount": amount, "currency": currency}


def _price_of_text(text: str) -> dict[str, Any]:
    if _PRICE_TEXT.fullmatch(text):
        codes = _LETTERS.findall(text)
        return {"amount": float(text.replace(codes[0], "")), "currency": codes[0]}
    raise WrongValue(f"this text has no amount with a currency code of ISO 4217; {PRICE_ADVICE}")


@lru_cache(maxsize=1024)
def is_currency(code: str | None) -> bool:
    """Whether a text has the form of a currency code. None is an unknown currency."""
    return code is None or _CURRENCY.fullmatch(code) is not None


@lru_cache(maxsize=1024)
def is_language(tag: str) -> bool:
    """Whether a text has the form of a language tag."""
    return _LANGUAGE.fullmatch(tag) is not None


def language(value: Any, leave_out: LeaveOut) -> Any:
    """Check the form of a language tag."""
    if isinstance(value, str) and not is_language(value):
        raise WrongValue("is no language tag; write one of BCP 47, such as en, de-AT or zh-Hant")
    return value


def is_gtin(digits: str) -> bool:
    """Whether a text is a GTIN of 8, 12, 13 or 14 digits whose check digit is right (GS1, section 7.9)."""
    if not _GTIN.fullmatch(digits):
        return False
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return weighted % 10 == 0


def gtin(value: Any, leave_out: LeaveOut) -> Any:
    """Check a GTIN; a whole number is read as its digits."""
    value = stock_unit(value, leave_out)
    if isinstance(value, str) and not is_gtin(value):
        raise WrongValue("is no GTIN: 8, 12, 13 or 14 digits, of which the last is the check digit")
    return value


def availability(value: Any, leave_out: LeaveOut) -> Any:
    """Read an availability in the words of Merchant Center or schema.org."""
    if isinstance(value, str) and _AVAILABILITY.fullmatch(value):
        word = value.strip().rpartition("/")[2].lower()
        return _AVAILABILITY_OF[re.sub("[ _-]", "", word)]
    raise WrongValue(f"is not one of {', '.join(sorted(set(AVAILABILITY_WORDS.values())))}")


def texts(value: Any, leave_out: LeaveOut) -> Any:
    """Read a list of texts without what is none."""
    if not isinstance(value, list):
        raise WrongValue('is not a list of texts; write ["…", "…"]')
    for position, each in enumerate(value):
        if not isinstance(each, str):
            leave_out(f"[{position}]", "is not a text")
    return [each for each in value if isinstance(each, str)]


def attributes(value: Any, leave_out: LeaveOut) -> Any:
    """Read a map of texts. Numbers, booleans and lists become texts, and null is no value."""
    if not isinstance(value, dict):
        raise WrongValue('is not a map of texts; write {"colour": "red"}')
    read = {}
    for name, each in value.items():
        if each is None or each == []:
            continue
        text = _attribute_text(each)
        if text is None:
            leave_out(_step(name), "is not a text, a number of up to 15 digits, a boolean or a list of these")
        else:
            read[name] = text
    return read


def _attribute_text(value: Any) -> str | None:
    """Return the text of an attribute's value; None if it has none."""
    if isinstance(value, list):
        parts = [_scalar_text(each) for each in value if each is not None]
        return None if None in parts else ", ".join(part for part in parts if part is not None)
    return _scalar_text(value)


def _scalar_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float) and abs(value) <= GREATEST_NUMBER:
        return str(whole_number(value, _nothing))
    return None


def _nothing(part: str, problem: str) -> None:
    """Note nothing."""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_LONGEST_STEP = 60


def _step(name: str) -> str:
    """Return a key of a map as a step of a JSON path."""
    if re.fullmatch(r"[^\W\d][\w-]*", name) and len(name) <= _LONGEST_STEP:
        return f".{name}"
    shown = name if len(name) <= _LONGEST_STEP else f"{name[:_LONGEST_STEP]}…"
    return f"[{shown!r}]"
