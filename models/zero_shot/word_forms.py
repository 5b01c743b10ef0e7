"""Words of titles in nine languages, in a form in which names and titles can be compared.

A form has no accents and no ending of a plural. German and Dutch write compounds as one word, and the last
part is what is sold: `lederhandtasche` is a `handtasche`. Japanese words are found within runs of characters,
because no blanks stand between them. They are in simplified characters, as cleaned names without kana are.
"""

import re
import unicodedata
from collections.abc import Container
from functools import lru_cache
from typing import NamedTuple

from models.text.traditional_chinese import simplify_characters

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_RUN = re.compile(r"[^\W_]+")
_ENDINGS = {
    "de": ("en", "er", "es", "e", "n", "s"),
    "fr": ("s", "x"),
    "es": ("es", "s", "o", "a", "e"),
    "it": ("he", "hi", "a", "e", "i", "o"),
    "pt": ("es", "s", "o", "a", "e"),
    "nl": ("en", "es", "s", "e"),
    "pl": ("ami", "ach", "owa", "owe", "owy", "ego", "ow", "om", "ej", "ie", "y", "i", "a", "e", "o", "u"),
}
_LEAST_STEM = 3
_LEAST_PARTS = {"de": 4, "nl": 4, "ko": 2}
"""The fewest letters of a compound's last part: shorter words end many others by chance."""
MOST_WORDS = 4
"""The most words of one term."""
_WITH = {
    "de": ("mit", "inkl", "samt", "ohne"),
    "fr": ("avec", "sans"),
    "es": ("con", "sin"),
    "it": ("con", "senza"),
    "pt": ("com", "sem"),
    "nl": ("met", "zonder"),
    "pl": ("z", "ze", "bez"),
    "ko": (),
}


class Term(NamedTuple):
    """A term that stands in a title.

    Attributes:
        text: The term's form.
        beside: Whether it stands after a word such as `with` or `for`.
        within: Whether it is a part of a longer word.
    """

    text: str
    beside: bool = False
    within: bool = False


def forms(text: str, language: str) -> list[str]:
    """The forms of a cleaned text's words, in order; for Japanese and Korean its runs of characters."""
    if language == "ja":
        return _RUN.findall(simplify_characters(text))
    return [_form(part, language) for word in _WORD.findall(text) for part in word.split("-")]


def term_of(text: str, language: str) -> str:
    """The form of a cleaned name or seller's word."""
    return ("" if language == "ja" else " ").join(forms(text, language))


@lru_cache(1 << 16)
def _form(word: str, language: str) -> str:
    if language == "ko":
        return word
    plain = unicodedata.normalize("NFD", word.replace("ß", "ss").replace("ł", "l"))
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    for ending in _ENDINGS[language]:
        if plain.endswith(ending) and len(plain) - len(ending) >= _LEAST_STEM:
            return plain[: -len(ending)]
    return plain


def find_terms(text: str, language: str, known: Container[str], ends: Container[str]) -> list[Term]:
    """The known terms of a cleaned text, the longest first at each place, without overlaps.

    Args:
        text: A cleaned title.
        language: One of the nine languages.
        known: The forms of all terms of the language.
        ends: Those that the last part of a compound can be.
    """
    if language == "ja":
        return [term for run in forms(text, language) for term in _terms_within(run, known)]
    words = [part for word in _WORD.findall(text) for part in word.split("-")]
    stems = [_form(word, language) for word in words]
    found: list[Term] = []
    place, beside = 0, False
    while place < len(words):
        beside = beside or words[place] in _WITH[language]
        for end in range(min(len(words), place + MOST_WORDS), place, -1):
            term = " ".join(stems[place:end])
            if term in known:
                found.append(Term(term, beside))
                place = end
                break
        else:
            if (least := _LEAST_PARTS.get(language)) is not None:
                found += [Term(part, beside, within=True) for part in _parts(stems[place], least, ends)]
            place += 1
    return found


def _parts(word: str, least: int, ends: Container[str]) -> list[str]:
    """The longest known end of a compound; empty if there is none."""
    for start in range(1, len(word) - least + 1):
        if word[start:] in ends:
            return [word[start:]]
    return []


def _terms_within(run: str, known: Container[str]) -> list[Term]:
    found: list[Term] = []
    place = 0
    while place < len(run):
        for end in range(min(len(run), place + 14), place, -1):
            piece = run[place:end]
            if piece in known and (end - place > 1 or len(run) == 1):
                found.append(Term(piece))
                place = end
                break
        else:
            place += 1
    return found
