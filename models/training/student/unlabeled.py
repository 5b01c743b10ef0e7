"""Chinese titles with annotated phrases but without categories, for the text encoders to label."""

from collections.abc import Collection
from pathlib import Path

from models.text.cleaning import clean, is_chinese
from models.training.data.near_duplicates import title_key
from models.training.spans.corpus import AnnotatedTitle, read_annotated


def unlabeled_titles(data: Path, labeled: Collection[str]) -> list[str]:
    """Read the titles that are not near-duplicates of labeled ones, so no evaluated title is among them.

    Args:
        data: Data folder. Without a folder `ner/` in it there are no titles.
        labeled: Cleaned labeled titles.

    Returns:
        Cleaned titles, each once.
    """
    labeled_keys = {title_key(text) for text in labeled}
    titles = dict.fromkeys(clean(title.text) for title in _annotated(data))
    return [text for text in titles if text and title_key(text) not in labeled_keys]


def product_words(data: Path) -> list[str]:
    """Read the Chinese phrases that are annotated as products, cleaned, each once.

    Args:
        data: Data folder. Without a folder `ner/` in it there are no phrases.
    """
    phrases = (
        clean(title.text[start:end])
        for title in _annotated(data)
        for kind, start, end in title.spans
        if kind == "product"
    )
    return [phrase for phrase in dict.fromkeys(phrases) if is_chinese(phrase)]


def _annotated(data: Path) -> list[AnnotatedTitle]:
    return read_annotated(data) if (data / "ner").is_dir() else []
