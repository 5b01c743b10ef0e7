"""The languages of text encoders, and which encoder reads which text."""

from typing import Literal

from models.text.cleaning import is_chinese, is_foreign

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


def reads(language: Language, text: str) -> bool:
    """Whether an encoder of the language reads a cleaned text. At most one language does.

    The encoder of Chinese reads texts that mix Chinese characters with Latin letters. The encoder of English
    reads only texts without letters of other scripts.
    """
    return is_chinese(text) if language == "zh" else not is_foreign(text)
