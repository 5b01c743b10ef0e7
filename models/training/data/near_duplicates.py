"""Titles that say the same in other words' order, other numbers, another case or punctuation."""

from models.text.features import tokens


def title_key(text: str) -> str:
    """What a cleaned title has in common with its near-duplicates: its words, sorted, without numbers.

    A title of numbers alone is its own key.
    """
    words = sorted(token for token in tokens(text) if not token.isdigit())
    return " ".join(words) or text
