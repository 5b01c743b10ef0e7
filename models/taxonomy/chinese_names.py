"""Chinese names of the categories of Google's tree, from two files.

Google published Chinese names with its edition of 2012, whose ids are still valid. This project's own names
cover the categories added since, and take precedence. A name in either file may give alternatives, as in
`移动电源/充电宝`.
"""

from models.shipped import PRETRAINED

_FOLDER = PRETRAINED / "taxonomy"
_OWN = _FOLDER / "zh_names.tsv"
_GOOGLES = _FOLDER / "google-product-taxonomy-2012-01-13.zh-CN.txt"


def chinese_names() -> dict[int, tuple[str, ...]]:
    """The names of each category by id, without its ancestors' names, the usual name first."""
    names: dict[int, tuple[str, ...]] = {}
    for line in _GOOGLES.read_text(encoding="utf-8").splitlines()[1:]:
        number, _, path = line.partition(" - ")
        names[int(number)] = alternatives(path.rpartition(" > ")[2])
    for line in _OWN.read_text(encoding="utf-8").splitlines()[1:]:
        number, _, name = line.split("\t")
        names[int(number)] = tuple(dict.fromkeys((*alternatives(name), *names.get(int(number), ()))))
    return names


def alternatives(name: str) -> tuple[str, ...]:
    """Split alternative names at slashes.

    A later alternative of one character is dropped: it is only the end of a word, as in `工具箱/包`.
    """
    first, *others = name.split("/")
    return tuple(dict.fromkeys((first, *(other for other in others if len(other) > 1))))
