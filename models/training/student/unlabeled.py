"""Chinese titles whose phrases people marked, but not their categories: for text encoders to teach from."""

from collections.abc import Collection
from pathlib import Path

from models.text.cleaning import clean, is_chinese
from models.training.data.near_duplicates import title_key
from models.training.spans.corpus import MarkedTitle, read_marked


def unlabeled_titles(data: Path, labeled: Collection[str]) -> list[str]:
    """Cleaned titles, each once, and none that is near a labeled one: no measured title is among them.

    Args:
        data: The folder with `ner/`; without it there are none.
        labeled: Cleaned titles.
    """
    taken = {title_key(text) for text in labeled}
    titles = dict.fromkeys(clean(title.text) for title in _marked(data))
    return [text for text in titles if text and title_key(text) not in taken]


def product_words(data: Path) -> list[str]:
    """What such titles call the product that they sell, cleaned, each once."""
    phrases = (
        clean(title.text[start:end])
        for title in _marked(data)
        for kind, start, end in title.spans
        if kind == "product"
    )
    return [phrase for phrase in dict.fromkeys(phrases) if is_chinese(phrase)]


def _marked(data: Path) -> list[MarkedTitle]:
    return read_marked(data) if (data / "ner").is_dir() else []
