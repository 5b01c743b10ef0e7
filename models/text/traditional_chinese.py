"""Traditional Chinese as simplified Chinese, which the models know: character by character.

The table is OpenCC's. Characters that simplified texts use too, as in `名著`, stay as they are.
"""

import re
from functools import lru_cache

from models.shipped import PRETRAINED

_FILE = PRETRAINED / "languages" / "traditional_characters.tsv"
_HAN = re.compile("[\u3400-\u9fff]")
_KANA = re.compile("[\u3041-\u30ff]")


def to_simplified(text: str) -> str:
    """Convert traditional characters. Texts with kana are Japanese and stay as they are.

    Returns:
        A text of the same length.
    """
    if text.isascii() or _HAN.search(text) is None or _KANA.search(text) is not None:
        return text
    return simplify_characters(text)


def simplify_characters(text: str) -> str:
    """Convert the traditional characters of any text, which keeps its length."""
    return text.translate(_table())


@lru_cache(1)
def _table() -> dict[int, str]:
    lines = _FILE.read_text(encoding="utf-8").splitlines()[1:]
    return {ord(traditional): simplified for traditional, simplified in (line.split("\t") for line in lines)}
