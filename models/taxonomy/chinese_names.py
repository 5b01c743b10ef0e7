"""What the categories of Google's tree are called in Chinese, from two files.

Google published Chinese names with its edition of 2012, whose ids still hold; this project's own names are
for what has come since, and take precedence. Either gives alternatives, as in `移动电源/充电宝`.
"""

from models.shipped import PRETRAINED

_FOLDER = PRETRAINED / "taxonomy"
_OWN = _FOLDER / "zh_names.tsv"
_GOOGLES = _FOLDER / "google-product-taxonomy-2012-01-13.zh-CN.txt"


def chinese_names() -> dict[int, tuple[str, ...]]:
    """By id, a category's names without those of its ancestors, the usual one first."""
    names: dict[int, tuple[str, ...]] = {}
    for line in _GOOGLES.read_text(encoding="utf-8").splitlines()[1:]:
        number, _, path = line.partition(" - ")
        names[int(number)] = alternatives(path.rpartition(" > ")[2])
    for line in _OWN.read_text(encoding="utf-8").splitlines()[1:]:
        number, _, name = line.split("\t")
        names[int(number)] = tuple(dict.fromkeys((*alternatives(name), *names.get(int(number), ()))))
    return names


def alternatives(name: str) -> tuple[str, ...]:
    """The names that strokes separate.

    A later one of one character is none: it is the end of a word whose start stands before the stroke, as in
    `工具箱/包`.
    """
    first, *others = name.split("/")
    return tuple(dict.fromkeys((first, *(other for other in others if len(other) > 1))))
