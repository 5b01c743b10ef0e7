"""The category tree: ids, paths, levels, subtrees, and names in other languages.

Each category also has an `index` from 0 to n - 1 in depth-first order. A category and its descendants are the
contiguous indices `[index, ends[index])`, so that the probability of a subtree is one difference of a
cumulative sum.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.shipped import PRETRAINED
from models.taxonomy.chinese_names import chinese_names
from models.taxonomy.files import SEPARATOR as SEPARATOR
from models.taxonomy.files import CategoryRow, read_rows
from schemas.errors import StopWorker

Synonyms = Mapping[int, Sequence[tuple[str, str]]]
GOOGLE_VERSION = "google-2021-09-21"
SHOPIFY_VERSION = "shopify-2025-08"
SHOPIFY = Path("shopify")
"""In place of a file: the shipped edition of Shopify's product taxonomy."""
_SHIPPED = PRETRAINED / "taxonomy"
_GOOGLE_FILE = _SHIPPED / "google-product-taxonomy-2021-09-21.en-US.txt"
_SHOPIFY_FILE = _SHIPPED / "shopify" / "categories.tsv.gz"
_SYNONYMS_FILE = _SHIPPED / "synonyms.tsv"


@dataclass(frozen=True)
class Node:
    """One category.

    Attributes:
        id: The category's id in the tree, such as Google's.
        names: The names from the root to this category.
        index: The position in depth-first order.
        parent: The parent's index; -1 at level 1.
        children: The children's indices, ascending.
        translations: The category's own name by language code.
        synonyms: Sellers' words for the category's products, each with its language code.
        examples: Titles of the category's products, in any language.
        code: What the tree's owner calls the category, such as `aa-1-4`; empty without one.
        google_id: The id of Google's category of the same products; None without one.
    """

    id: int
    names: tuple[str, ...]
    index: int
    parent: int
    children: tuple[int, ...] = ()
    translations: dict[str, str] = field(default_factory=dict, compare=False)
    synonyms: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    examples: tuple[str, ...] = field(default=(), compare=False)
    code: str = field(default="", compare=False)
    google_id: int | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """The category's own name."""
        return self.names[-1]

    @property
    def path(self) -> str:
        """The names from the root, joined by ` > `."""
        return SEPARATOR.join(self.names)

    @property
    def level(self) -> int:
        """The depth: 1 for a root category."""
        return len(self.names)


class Taxonomy:
    """An immutable category tree.

    Args:
        version: The tree's version, for example `google-2021-09-21`.
        paths: The names from the root to the category, by id.
        chinese: Chinese names by id.
        synonyms: Pairs of language code and synonym, by id.

    Attributes:
        version: As given.
        nodes: All categories in depth-first order.

    Raises:
        StopWorker: Two ids have one path, or a parent is missing.
    """

    def __init__(
        self,
        version: str,
        paths: dict[int, tuple[str, ...]],
        chinese: dict[int, str],
        synonyms: Synonyms | None = None,
    ) -> None:
        self.version = version
        self.nodes = _build(paths, chinese, synonyms or {})
        self._index = {node.id: node.index for node in self.nodes}

    @classmethod
    def google(cls) -> "Taxonomy":
        """The shipped Google Product Taxonomy of 2021-09-21, with Chinese names and synonyms."""
        names = chinese_names()
        synonyms = {number: [("zh", text) for text in others] for number, (_, *others) in names.items()}
        for line in _SYNONYMS_FILE.read_text(encoding="utf-8").splitlines()[1:]:
            number, language, text = line.split("\t")
            known = synonyms.setdefault(int(number), [])
            if (language, text) not in known:
                known.append((language, text))
        chinese = {number: first for number, (first, *_) in names.items()}
        return cls.load(_GOOGLE_FILE, GOOGLE_VERSION, chinese, synonyms)

    @classmethod
    def shopify(cls) -> "Taxonomy":
        """The shipped edition of Shopify's product taxonomy, with Chinese names and Google ids."""
        return cls.load(_SHOPIFY_FILE, SHOPIFY_VERSION)

    @classmethod
    def of(cls, path: Path | None) -> "Taxonomy":
        """The tree of a file, read by `load`; None is Google's tree, and `SHOPIFY` is Shopify's."""
        if path == SHOPIFY:
            return cls.shopify()
        return cls.google() if path is None else cls.load(path)

    @classmethod
    def load(
        cls,
        path: Path,
        version: str | None = None,
        chinese: dict[int, str] | None = None,
        synonyms: Synonyms | None = None,
    ) -> "Taxonomy":
        """Read a tree from a file in any of the formats of `models.taxonomy.files`.

        Args:
            path: The file.
            version: The tree's version in events. None is the file's name and eight digits of a hash of ids
                and paths, so that other names and examples may change without a new version.
            chinese: Chinese names by id, besides those of the file.
            synonyms: Pairs of language code and synonym, by id.

        Raises:
            StopWorker: The file cannot be read or is no tree. The message names the lines.
        """
        rows = read_rows(path)
        paths = {row.id: row.names for row in rows}
        tree = cls(version or _version(path.stem, paths), paths, chinese or {}, synonyms)
        tree.nodes = _with_names(tree, rows)
        return tree

    def __len__(self) -> int:
        """The number of categories."""
        return len(self.nodes)

    def __contains__(self, category_id: object) -> bool:
        """Whether there is a category with this id."""
        return category_id in self._index

    def node(self, category_id: int) -> Node:
        """The category with an id.

        Raises:
            KeyError: There is none.
        """
        return self.nodes[self._index[category_id]]

    def ancestors(self, index: int) -> list[int]:
        """The indices from the root category down to `index`, which is included."""
        chain = [index]
        while (parent := self.nodes[chain[-1]].parent) >= 0:
            chain.append(parent)
        return chain[::-1]

    @cached_property
    def has_google_ids(self) -> bool:
        """Whether the file gives the ids of Google's categories of the same products."""
        return any(node.google_id is not None for node in self.nodes)

    @cached_property
    def ends(self) -> npt.NDArray[np.int64]:
        """One past the last index of each category's subtree, shape [categories]."""
        ends = np.arange(1, len(self) + 1)
        for node in reversed(self.nodes):
            if node.parent >= 0:
                ends[node.parent] = max(ends[node.parent], ends[node.index])
        return ends

    @cached_property
    def levels(self) -> npt.NDArray[np.int64]:
        """The level of each category, from 1, shape [categories]."""
        return np.array([node.level for node in self.nodes])

    @cached_property
    def roots(self) -> npt.NDArray[np.int64]:
        """The indices of the categories of level 1, ascending."""
        return np.flatnonzero(self.levels == 1)

    @cached_property
    def children_table(self) -> npt.NDArray[np.int64]:
        """The indices of each category's children, padded with -1, shape [categories, most children]."""
        table = np.full((len(self), max(len(node.children) for node in self.nodes)), -1, dtype=np.int64)
        for node in self.nodes:
            table[node.index, : len(node.children)] = node.children
        return table

    @cached_property
    def lineage(self) -> npt.NDArray[np.int64]:
        """Each category's ancestor at level 1, 2, …; -1 below its own level; shape [categories, depth]."""
        table = np.full((len(self), int(self.levels.max())), -1, dtype=np.int64)
        for node in self.nodes:
            if node.parent >= 0:
                table[node.index] = table[node.parent]
            table[node.index, node.level - 1] = node.index
        return table


def _version(name: str, paths: Mapping[int, tuple[str, ...]]) -> str:
    """A version that changes whenever an id or a path changes."""
    content = "".join(f"{number}\t{SEPARATOR.join(paths[number])}\n" for number in sorted(paths))
    digits = hashlib.sha256(content.encode()).hexdigest()[:8]
    return f"{re.sub('[^A-Za-z0-9._-]+', '-', name)[:64]}-{digits}"


def _with_names(tree: "Taxonomy", rows: Iterable[CategoryRow]) -> tuple[Node, ...]:
    """The tree's nodes with the translations, examples, codes and Google ids of the file."""
    by_id = {row.id: row for row in rows}
    return tuple(
        replace(
            node,
            translations=node.translations | by_id[node.id].translations,
            examples=by_id[node.id].examples,
            code=by_id[node.id].code,
            google_id=by_id[node.id].google_id,
        )
        for node in tree.nodes
    )


def _build(
    paths: dict[int, tuple[str, ...]], chinese: dict[int, str], synonyms: Synonyms
) -> tuple[Node, ...]:
    ids = {names: identifier for identifier, names in paths.items()}
    if len(ids) != len(paths):
        raise StopWorker("The category tree names one path with two ids; make paths unique.")
    # Sorting tuples of names puts each parent right before its subtree: depth-first order.
    ordered = sorted(ids)
    position = {names: index for index, names in enumerate(ordered)}
    children: dict[int, list[int]] = {}
    for index, names in enumerate(ordered):
        if len(names) > 1 and names[:-1] not in position:
            raise StopWorker(f"The category tree lacks the parent of {SEPARATOR.join(names)!r}; add it.")
        children.setdefault(position[names[:-1]] if len(names) > 1 else -1, []).append(index)
    return tuple(
        Node(
            id=ids[names],
            names=names,
            index=index,
            parent=position[names[:-1]] if len(names) > 1 else -1,
            children=tuple(children.get(index, ())),
            translations={"zh": chinese[ids[names]]} if ids[names] in chinese else {},
            synonyms=tuple(synonyms.get(ids[names], ())),
        )
        for index, names in enumerate(ordered)
    )
