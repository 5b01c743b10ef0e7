"""The languages that text encoders read, and which texts are whose."""

from typing import Literal

from models.text.cleaning import is_chinese, is_foreign

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


def reads(language: Language, text: str) -> bool:
    """Whether an encoder of the language reads a cleaned text. At most one does.

    Chinese sellers write Latin letters between their own, so that Chinese reads these too; English reads
    nothing but Latin ones.
    """
    return is_chinese(text) if language == "zh" else not is_foreign(text)
