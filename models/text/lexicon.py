"""Finds the phrases of a list in a text, the longest form first, with their spans."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from models.shipped import PRETRAINED

_SHIPPED = PRETRAINED / "lexicons"
_WORD = re.compile(r"[a-z0-9]+(?:['\u2019][a-z]+)?")
_CJK = re.compile("[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """The meaning of a form.

    Attributes:
        attribute: The attribute that the form states.
        value: The attribute's value; empty if the form has no meaning and only hides shorter forms.
        looks: Whether the meaning holds only for products whose appearance matters.
        implied: Whether the meaning holds only if nothing else states the attribute.
    """

    attribute: str
    value: str
    looks: bool = False
    implied: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A form found at characters [start, end) of the text."""

    entry: Entry
    start: int
    end: int


def words_of(folded: str) -> list[str]:
    """The Latin words of a folded text, in order."""
    return _WORD.findall(folded)


class Lexicon:
    """Forms and their meanings. English forms match whole words; Chinese forms match anywhere.

    Args:
        forms: Pairs of a lower-case form and its meaning. A form may have several meanings.
    """

    def __init__(self, forms: Iterable[tuple[str, Entry]]) -> None:
        self._phrases: dict[str, list[tuple[tuple[str, ...], Entry]]] = {}
        chinese: dict[str, list[Entry]] = {}
        for form, entry in forms:
            if _CJK.search(form):
                chinese.setdefault(form, []).append(entry)
            elif words := tuple(_WORD.findall(form)):
                self._phrases.setdefault(words[0], []).append((words, entry))
        for phrases in self._phrases.values():
            phrases.sort(key=lambda phrase: (-len(phrase[0]), phrase[1].attribute, phrase[1].value))
        self._chinese = chinese
        longest_first = sorted(chinese, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if chinese else None

    def find(self, folded: str, words: list[str] | None = None) -> list[Hit]:
        """Find all forms in a text.

        Args:
            folded: The text, folded by `fold`.
            words: The result of `words_of` for the text, if it is available.

        Returns:
            The hits in order of their start. Hits of one script do not overlap.
        """
        hits: list[Hit] = []
        words = words_of(folded) if words is None else words
        if not self._phrases.keys().isdisjoint(words):
            self._find_words(folded, words, hits)
        if self._pattern is not None and not folded.isascii():
            matches = self._pattern.finditer(folded)
            hits.extend(
                Hit(entry, *match.span()) for match in matches for entry in self._chinese[match.group()]
            )
            hits.sort(key=lambda hit: (hit.start, hit.end))
        return hits

    def values(self, attribute: str) -> frozenset[str]:
        """All values of an attribute."""
        entries = [entry for phrases in self._phrases.values() for _, entry in phrases]
        entries += [entry for each in self._chinese.values() for entry in each]
        return frozenset(entry.value for entry in entries if entry.attribute == attribute and entry.value)

    def exact(self, folded: str) -> Entry | None:
        """The meaning of a text that is one form as a whole; None if it is not."""
        text = folded.strip()
        if text in self._chinese:
            return self._chinese[text][0]
        words = tuple(_WORD.findall(text))
        known = self._phrases.get(words[0], []) if words else []
        return next((entry for phrase, entry in known if phrase == words), None)

    def _find_words(self, folded: str, words: list[str], hits: list[Hit]) -> None:
        spans = [match.span() for match in _WORD.finditer(folded)]
        taken = 0
        for place, word in enumerate(words):
            if place < taken or word not in self._phrases:
                continue
            for phrase, entry in self._phrases[word]:
                after = place + len(phrase)
                if after < taken:
                    break
                if len(phrase) == 1 or tuple(words[place:after]) == phrase:
                    hits.append(Hit(entry, spans[place][0], spans[after - 1][1]))
                    taken = after


def shipped_lexicon() -> Lexicon:
    """The shipped words for color, gender and material."""
    return _load_words(_SHIPPED / "words.tsv")


def shipped_uses() -> Lexicon:
    """The shipped words for age group, season and usage, and for genders that a product noun implies.

    They are separate from `shipped_lexicon` because a hit there would hide them: `sports white` is a color,
    and `sports` in it a usage.
    """
    return _load_words(_SHIPPED / "uses.tsv")


def _load_words(path: Path) -> Lexicon:
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:])
    return Lexicon(
        (form, Entry(name, value, where == "looks", where == "implied")) for name, value, form, where in rows
    )


def load_phrases(path: Path) -> Lexicon:
    """Read a file of `tag<TAB>form` lines after a header line."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:])
    return Lexicon((form, Entry("tag", tag)) for tag, form in rows)
