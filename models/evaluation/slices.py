"""Slices of the evaluation titles, and titles with synthetic typing errors."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from models.evaluation.titles import LabeledTitle

SHORT_WORDS = 3
SHORT_CHINESE = 6
LONG_WORDS = 15
LONG_CHINESE = 40
RARE_LISTINGS = 2
SMALL_LISTINGS = 5
LARGE_LISTINGS = 50
_CHINESE = re.compile("[\u3400-\u9fff]")
_LATIN = re.compile("(?<![0-9a-zA-Z])[a-zA-Z]{2,}")
_WORD = re.compile(r"[a-zA-Z]{4,}")


@dataclass(frozen=True)
class Slice:
    """A slice of the evaluation titles.

    Attributes:
        name: Name in reports.
        rule: Description of the titles that belong to it.
        holds: Whether a title belongs to it.
    """

    name: str
    rule: str
    holds: Callable[[LabeledTitle], bool]


def is_short(title: LabeledTitle) -> bool:
    """Whether a title has at most three words, or six Chinese characters."""
    chinese = len(_CHINESE.findall(title.title))
    return chinese <= SHORT_CHINESE if chinese else len(title.title.split()) <= SHORT_WORDS


def is_long(title: LabeledTitle) -> bool:
    """Whether a title has at least fifteen words, or forty Chinese characters."""
    chinese = len(_CHINESE.findall(title.title))
    return chinese >= LONG_CHINESE if chinese else len(title.title.split()) >= LONG_WORDS


def is_mixed(title: LabeledTitle) -> bool:
    """Whether a title has Chinese characters and a Latin word of two letters or more.

    A unit after a number does not count as a word.
    """
    return bool(_CHINESE.search(title.title) and _LATIN.search(title.title))


SLICES = (
    Slice("short titles", f"at most {SHORT_WORDS} words, or {SHORT_CHINESE} Chinese characters", is_short),
    Slice("very long titles", f"at least {LONG_WORDS} words, or {LONG_CHINESE} Chinese characters", is_long),
    Slice(
        "code-switching", "Chinese characters beside a Latin word; units after numbers do not count", is_mixed
    ),
    Slice(
        "rare brands",
        f"of a brand with at most {RARE_LISTINGS} listings in the whole shop; flipkart only",
        lambda title: 0 < title.listings <= RARE_LISTINGS,
    ),
)
SELLERS = (
    Slice(
        "small",
        f"of a brand with at most {SMALL_LISTINGS} listings",
        lambda title: 0 < title.listings <= SMALL_LISTINGS,
    ),
    Slice(
        "middling",
        "of a brand in between",
        lambda title: SMALL_LISTINGS < title.listings < LARGE_LISTINGS,
    ),
    Slice(
        "large",
        f"of a brand with at least {LARGE_LISTINGS} listings",
        lambda title: title.listings >= LARGE_LISTINGS,
    ),
)


def mistyped(titles: Sequence[LabeledTitle], seed: int) -> list[tuple[int, LabeledTitle]]:
    """Put one typing error into each title that has a Latin word of four letters or more.

    Two neighboring letters are swapped, or one letter is left out or doubled. The first letter is kept, as in
    most human errors.

    Args:
        titles: Titles.
        seed: Seed of the errors.

    Returns:
        Pairs of the number of the title in `titles`, and the title with the error.
    """
    random = Random(seed)
    found = []
    for number, title in enumerate(titles):
        words = list(_WORD.finditer(title.title))
        if words:
            found.append((number, replace(title, title=_mistype(title.title, random.choice(words), random))))
    return found


def _mistype(text: str, word: re.Match[str], random: Random) -> str:
    letters = word.group()
    place = random.randrange(1, len(letters) - 1)
    head, one, two, tail = letters[:place], letters[place], letters[place + 1], letters[place + 2 :]
    # Swapping two equal letters would not be an error.
    kinds = [one + one + two, two] + ([two + one] if one != two else [])
    return text[: word.start()] + head + random.choice(kinds) + tail + text[word.end() :]
