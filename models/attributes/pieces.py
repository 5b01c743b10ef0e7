"""Finds clothing sizes and numbers of pieces."""

import re
from typing import NamedTuple

_DIGITS = re.compile(r"\d+")
_LETTERS = r"(?:xxs|xs|s|m|l|x{1,3}l|[2-6]xl)"
_UNIT_AFTER = (
    r"(?!\s?(?:cms?|mm|m|inch(?:es)?|in|ft|feet|kgs?|gm?s?|lbs?|pounds?|ounces?|oz|ml|l|litres?|liters?|pieces?|pcs|"
    r"years?|yrs?|"
    r"months?|m(?:on)?ths?|[\"”″']|[x×*]\s?\d|%|gb|mb)(?![a-z]))"
)
_NAMED = re.compile(
    rf"\bsizes?(?:\s?[:=-]\s?|\s)\s*(?:(?:us|uk|eu)\s)?({_LETTERS}|"
    rf"\d{{1,2}}(?:\.5)?){_UNIT_AFTER}(?![a-z0-9'.-]|\s\d)"
)
_ALONE = re.compile(r"(?<![a-z0-9'/&+.-])(x{1,3}[sl]|[2-6]xl)(?![a-z0-9'&+]|[-/]\s?[a-z0-9])")
_SIZE_HINTS = ("size", "xl", "xs")
"""A text without them has no clothing size; looking for them takes less time than the patterns."""
_BARE = re.compile(rf"\s*((?:{_LETTERS}|\d{{1,2}}(?:\.5)?))\s*")
_SEVERAL = re.compile(
    rf"\b{_LETTERS}\s?(?:[/,&|–-]|to|and|or)\s?{_LETTERS}\b|\bsizes?\b\W{{0,3}}[\d.]+\s?(?:[/,&|–-]|to |"
    rf"and |or )\s?\d"
)
_CLOTHES = re.compile(
    r"\b(?:men|mens|women|womens|boys|girls|unisex|ladies|kids)(?:'s)?\b|\b(?:t-?|sweat)?shirts?\b|"
    r"\b(?:tees?|tops?|dress|skirt|jeans|pants|trousers|shorts|jackets?|coat|sweater|hoodie|kurt[ai]|"
    r"leggings?|socks|"
    r"bra|briefs?|boxers?|underwear|gloves?|diapers?|tights?|tank|pullover|vest|polo|blouse|tunic|"
    r"pyjamas?|pajamas?|"
    r"shapewear|bodysuit|swimsuit|bikini|robe|capri|uniform|costume|helmet|jersey|thermals?)\b|"
    r"[\u3400-\u9fff]"
)
_PACK = re.compile(
    r"\b(?:pack|set|box|combo|case|bundle|lot) of (\d{1,4})\b(?!\s?(?:x|×|\*)\s?\d|[.,]\d|\s?(?:oz|"
    r"ounces?|lbs?|pounds?|g|gm|kg|ml|l)\b)|"
    r"(?<![\d.,/$£€₹#-])\b(\d{1,4})[ -]?(?:packs?|pk|pcs|pieces?|count|ct)\b(?! (?:gold|diamond|yellow|"
    r"white|rose|aida))|"
    r"(?<![\d.])(\d{1,4})(?:片|包|盒|瓶|支|只|袋|罐|条|双|粒|件套|个)(?:装|入)?"
)
_COMPUTERS = re.compile(
    r"\b(?:antivirus|anti-virus|security|licen[sc]es?|subscription|edition|windows|package)\b"
)
_PIECE_UNITS = "(?:ml|cl|l|g|kg|oz|毫升|升|克|千克)"
_TIMES = re.compile(
    rf"(?<![\d.])(\d{{1,3}}\s?[x×*])\s?(?=\d{{1,5}}(?:\.\d+)?\s?{_PIECE_UNITS}(?![a-z]))"
    rf"|(?<=\d)\s?{_PIECE_UNITS}\s?([x×*]\s?\d{{1,3}})(?![\d.]|\s?[a-z])"
)
"""A number of pieces beside a volume or a mass (`6 x 330ml`, `330ml*6`), but not two lengths (`2 m x 3`)."""


class Found(NamedTuple):
    """A value at characters [start, end) of a text."""

    value: str
    start: int
    end: int


def clothing_size(folded: str) -> Found | None:
    """Find the clothing or shoe size; None if a text has none or several."""
    if not any(hint in folded for hint in _SIZE_HINTS) or _SEVERAL.search(folded):
        return None
    found = [Found(match.group(1).upper(), *match.span(1)) for match in _NAMED.finditer(folded)]
    if not found and _CLOTHES.search(folded):
        found = [Found(match.group(1).upper(), *match.span(1)) for match in _ALONE.finditer(folded)]
    return found[0] if len({item.value for item in found}) == 1 else None


def bare_clothing_size(folded: str) -> Found | None:
    """Return the clothing size that a text consists of (`xl`, `38`), or None."""
    match = _BARE.fullmatch(folded)
    return Found(match.group(1).upper(), *match.span(1)) if match else None


def pack_quantity(folded: str) -> Found | None:
    """Find the number of pieces; None if a text has none, one piece or several numbers."""
    spans = [match.span(match.lastindex or 0) for match in _TIMES.finditer(folded)]
    spans = spans or [
        match.span()
        for match in _PACK.finditer(folded)
        if not (match.group().endswith("pcs") and _COMPUTERS.search(folded))
    ]
    found = [Found(str(int(_DIGITS.findall(folded[start:end])[0])), start, end) for start, end in spans]
    return found[0] if len({item.value for item in found}) == 1 and int(found[0].value) > 1 else None
