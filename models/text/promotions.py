"""Promotions in titles: words, brackets and punctuation that advertise and do not name the product.

Classifiers read a title without them. The published title keeps them, and so does the evidence of attributes.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from models.shipped import PRETRAINED
from models.text.cleaning import clean

_SHIPPED = PRETRAINED / "lexicons" / "promotion_phrases.tsv"
_ROUNDS = 12
"""The most promotions that are removed from each end of a title."""
_LONGEST = 5
"""The most words of a phrase."""
_BRACKETS = re.compile(
    r"\[([^\[\]]{0,60})\]|\{([^{}]{0,60})\}|\(([^()]{0,60})\)"
    "|\u3010([^\u3010\u3011]{0,60})\u3011|\u300c([^\u300c\u300d]{0,60})\u300d|\u300e([^\u300e\u300f]{0,60})\u300f"
    "|\u300a([^\u300a\u300b]{0,60})\u300b"
)
_OPENING = "[{(\u3010\u300c\u300e\u300a"
_SYMBOLS = re.compile("[\u2022\u203c\u2049\u25a0-\u25ff\u2600-\u27bf\u2b50\u2b55\U0001f300-\U0001faff]+")
_DECORATION = re.compile(r"[!*~|]+")
_MARKS = "!*~|:"
"""What sets a phrase off from the words beside it."""
_DASHES = ("-", "\u2013", "\u2014")
_AT_ENDS = " .,;?/_-\u2013\u2014\u2026\u3001\u3002" + _MARKS
# Brackets, quotes and `%` stay: they may belong to a name.
_DISCOUNT = (
    r"(?:(?:up to |save |extra |flat )?[0-9]{1,2} ?% (?:off|discount|rabatt)"
    r"|save (?:up to )?[$\u00a3\u20ac]? ?[0-9]+(?:[.,][0-9]+)? ?[%$\u00a3\u20ac]?"
    "|buy [0-9] get [0-9](?: free| half price)?|\u6ee1[0-9]+\u51cf[0-9]+|[0-9.]{1,3}\u6298)"
)
_DISCOUNT_FIRST = re.compile(rf"{_DISCOUNT}(?![a-z0-9])")
_DISCOUNT_LAST = re.compile(rf"(?<![a-z0-9]){_DISCOUNT}$")
_MAY_BE_DISCOUNT = re.compile("%|save|buy|\u6298|\u6ee1")


def clean_title(title: str) -> str:
    """The title as classifiers read it: `clean`, without promotions."""
    return without_promotions(clean(title))


def without_promotions(text: str) -> str:
    """Remove promotions from a cleaned title: at both ends, in brackets, and decorating symbols anywhere.

    Returns:
        The rest. If no letter or digit is left, the text itself.
    """
    rest = text if text.isascii() else _SYMBOLS.sub("|", text)
    if any(bracket in rest for bracket in _OPENING):
        rest = " ".join(_BRACKETS.sub(_without_brackets, rest).split())
    rest = _without_ends(rest)
    if _DECORATION.search(rest):
        rest = " ".join(_DECORATION.sub(" ", rest).split())
    return rest if any(map(str.isalnum, rest)) else text


@lru_cache(1)
def promotion_phrases() -> Mapping[str, frozenset[str]]:
    """The shipped phrases, lower case, by kind.

    `promotion`: advertises at the start and the end of a title. `first`: only at the start. `marked`: only in
    brackets or set off by punctuation. `name`: begins like a promotion, but is a name. `service`: names a
    service.
    """
    rows = [line.split("\t") for line in _SHIPPED.read_text(encoding="utf-8").splitlines()[1:]]
    kinds = dict.fromkeys(kind for kind, _ in rows)
    return {kind: frozenset(phrase for of, phrase in rows if of == kind) for kind in kinds}


@lru_cache(1)
def _chinese() -> Mapping[str, tuple[str, ...]]:
    """The Chinese phrases by kind, the longest first. They have no spaces around them."""
    return {
        kind: tuple(sorted((each for each in phrases if not each.isascii()), key=len, reverse=True))
        for kind, phrases in promotion_phrases().items()
    }


@lru_cache(2)
def _end_words(last: bool) -> frozenset[str]:
    """The first words, or the last ones, of all phrases."""
    kinds = promotion_phrases()
    phrases = [each for kind in ("promotion", "first", "marked") for each in kinds[kind]]
    return frozenset(each.split(" ")[-1 if last else 0] for each in phrases)


def _without_brackets(match: re.Match[str]) -> str:
    """A space for brackets around promotions alone; else what square and Chinese brackets hold."""
    content = next(group for group in match.groups() if group is not None)
    if not _without_ends(content, marked=True):
        return " "
    return match[0] if match[0][0] == "(" else f" {content} "


def _without_ends(text: str, marked: bool = False) -> str:
    """Remove promotions and punctuation from both ends.

    Args:
        text: A cleaned text.
        marked: Whether brackets set the text off, so that phrases of the kind `marked` count.
    """
    for last in (False, True):
        for _ in range(_ROUNDS):
            text = text.strip(_AT_ENDS) if marked else text.strip()
            shorter = _shorter(text, last, marked)
            if shorter == text:
                break
            text = shorter
    return text.strip(_AT_ENDS)


def _shorter(text: str, last: bool, marked: bool) -> str:
    """The text without one promotion at its start, or at its end; the text itself if there is none."""
    stripped = text.rstrip(_AT_ENDS) if last else text.lstrip(_AT_ENDS)
    words = stripped.split(" ")
    word = words[-1 if last else 0].strip(_AT_ENDS)
    if word in _end_words(last):
        count = _phrase_words(text, words, last, marked)
        if count:
            return " ".join(words[:-count] if last else words[count:])
    if not stripped.isascii():
        phrases = (*_chinese()["promotion"], *_chinese()["marked"]) if marked else _chinese()["promotion"]
        for phrase in phrases:
            if stripped.endswith(phrase) if last else stripped.startswith(phrase):
                return stripped[: -len(phrase)] if last else stripped[len(phrase) :]
    if _MAY_BE_DISCOUNT.search(stripped):
        found = _DISCOUNT_LAST.search(stripped) if last else _DISCOUNT_FIRST.match(stripped)
        if found:
            return stripped[: found.start()] if last else stripped[found.end() :]
    return text


def _phrase_words(text: str, words: list[str], last: bool, marked: bool) -> int:
    """The number of words of the promotion at the start or end of a title; 0 if there is none."""
    kinds = promotion_phrases()
    for count in range(min(_LONGEST, len(words)), 0, -1):
        chosen = " ".join(words[-count:] if last else words[:count])
        phrase = chosen.strip(_AT_ENDS)
        if phrase in kinds["name"]:
            return 0
        if phrase in kinds["promotion"] or (phrase in kinds["first"] and not last):
            return count
        if phrase in kinds["marked"] or phrase in kinds["first"]:
            rest = words[:-count] if last else words[count:]
            if marked or _is_set_off(text, chosen, rest, last):
                return count
    return 0


def _is_set_off(text: str, chosen: str, rest: list[str], last: bool) -> bool:
    """Whether punctuation that no name has within stands between a phrase and the rest of the title."""
    if not rest:
        return True
    if last:
        return chosen[0] in _MARKS or rest[-1] in _DASHES or rest[-1][-1:] in tuple(_MARKS)
    return chosen[-1] in _MARKS or rest[0] in _DASHES or rest[0][:1] in tuple(_MARKS)
