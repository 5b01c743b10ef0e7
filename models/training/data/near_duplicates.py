"""Near-duplicate titles: those that differ only in word order, numbers, case or punctuation."""

from models.text.features import tokens


def title_key(text: str) -> str:
    """The key that a cleaned title shares with its near-duplicates: its sorted words without numbers.

    A title that consists of numbers is its own key.
    """
    words = sorted(token for token in tokens(text) if not token.isdigit())
    return " ".join(words) or text
