"""The category tree: numbering, subtrees, names, and refusal of broken files."""

from pathlib import Path

import pytest

from models.taxonomy.chinese_names import alternatives, chinese_names
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker

GOOGLE = Taxonomy.google()


def test_google_tree_is_complete() -> None:
    assert len(GOOGLE) == 5595
    assert len(GOOGLE.roots) == 21
    assert GOOGLE.version == "google-2021-09-21"
    assert GOOGLE.node(187).path == "Apparel & Accessories > Shoes"
    assert GOOGLE.node(1).translations == {"zh": "宠物与动物用品"}
    assert all("zh" in node.translations for node in GOOGLE.nodes)
    assert 187 in GOOGLE
    assert 6_000_000 not in GOOGLE


def test_subtrees_are_contiguous() -> None:
    """Index ranges hold exactly the categories whose path starts with the category's path."""
    for node in GOOGLE.nodes[::97]:
        inside = {other.index for other in GOOGLE.nodes if other.names[: node.level] == node.names}
        assert inside == set(range(node.index, int(GOOGLE.ends[node.index])))


def test_lineage_children_and_ancestors_agree() -> None:
    for node in GOOGLE.nodes[::31]:
        chain = GOOGLE.ancestors(node.index)
        assert [GOOGLE.nodes[index].names for index in chain] == [
            node.names[:level] for level in range(1, node.level + 1)
        ]
        assert GOOGLE.lineage[node.index, : node.level].tolist() == chain
        assert (GOOGLE.lineage[node.index, node.level :] == -1).all()
        for child in node.children:
            assert GOOGLE.nodes[child].parent == node.index
        listed = GOOGLE.children_table[node.index]
        assert tuple(listed[listed >= 0].tolist()) == node.children


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# only a comment\n", "no category"),
        ("7 Animals\n", "line 1"),
        ("x - Animals\n", "line 1"),
        ("1 - A\n1 - B\n", "line 2: id 1 stands twice"),
        ("1 - A\n2 - A\n", "one path with two ids"),
        ("1 - A\n2 - B > C\n", "lacks the parent of 'B > C'"),
    ],
)
def test_a_broken_tree_is_refused_with_the_reason(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "tree.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StopWorker, match=says):
        Taxonomy.load(path, "shop-1")


def test_the_order_of_lines_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "tree.txt"
    path.write_text("3 - A > C\n1 - A\n9 - B\n", encoding="utf-8")
    tree = Taxonomy.load(path, "shop-1")
    assert [node.path for node in tree.nodes] == ["A", "A > C", "B"]
    assert tree.ends.tolist() == [2, 2, 3]


def test_a_missing_tree_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StopWorker, match="Cannot read the category tree"):
        Taxonomy.load(tmp_path / "none.txt", "shop-1")


def test_chinese_names_come_from_this_project_first_and_then_from_google() -> None:
    assert alternatives("移动电源/充电宝") == ("移动电源", "充电宝")
    assert alternatives("工具箱/包") == ("工具箱",)
    assert alternatives("泵") == ("泵",)
    names = chinese_names()
    assert names[1][0] == "宠物与动物用品"  # this project's
    assert names[165] == ("天文望远镜",)  # Google's of 2012
    assert names[4715] == ("太阳能发电系统", "太阳能套件")  # newer than that
    assert set(names) >= {node.id for node in GOOGLE.nodes}
    synonyms = GOOGLE.node(4715).synonyms
    assert ("zh", "太阳能套件") in synonyms
    assert len(synonyms) == len(set(synonyms))
