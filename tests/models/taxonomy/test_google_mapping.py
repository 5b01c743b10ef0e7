"""The mapping from Google's tree: heads, finer categories, and the shipped tree of Shopify."""

from pathlib import Path

import pytest

from models.taxonomy.google_mapping import GoogleMapping
from models.taxonomy.tree import SHOPIFY, SHOPIFY_VERSION, Taxonomy
from schemas.errors import StopWorker

GOOGLE = """# Google
1 - Apparel
2 - Apparel > Shirts & Tops
3 - Apparel > Socks
4 - Apparel > Underwear
5 - Apparel > Underwear > Slips
6 - Software
7 - Software > Games
8 - Care
9 - Care > Lotion
"""
TREE = """id,code,path,google_id
11,a,Apparel,1
12,a-1,Apparel > Tops,2
13,a-1-1,Apparel > Tops > Shirts,2
14,a-1-2,Apparel > Tops > Polos,2
15,a-2,Apparel > Hosiery,
16,a-2-1,Apparel > Hosiery > Socks,3
17,a-2-2,Apparel > Hosiery > Crew Socks,3
18,a-3,Apparel > Maternity Tops,2
19,b,Care,8
20,b-1,Care > Body Lotions,9
21,b-2,Care > Face Lotions,9
"""


@pytest.fixture
def mapping(tmp_path: Path) -> GoogleMapping:
    (tmp_path / "google.txt").write_text(GOOGLE)
    (tmp_path / "tree.csv").write_text(TREE)
    return GoogleMapping(Taxonomy.load(tmp_path / "google.txt"), Taxonomy.load(tmp_path / "tree.csv"))


@pytest.mark.parametrize(
    ("google_id", "code"),
    [
        (1, "a"),  # the same path
        (3, "a-2-1"),  # the same name elsewhere
        (4, "a"),  # nothing of its own: the parent's
        (5, "a"),
        (6, None),  # nothing above it either
        (7, None),
        (9, "b"),  # two equals: what is above both
    ],
)
def test_a_category_of_google_has_one_head(mapping: GoogleMapping, google_id: int, code: str | None) -> None:
    head = int(mapping.heads[mapping.google.node(google_id).index])
    assert (mapping.taxonomy.nodes[head].code if head >= 0 else None) == code


def test_the_only_highest_category_is_the_head(tmp_path: Path) -> None:
    (tmp_path / "google.txt").write_text(GOOGLE)
    (tmp_path / "tree.csv").write_text(TREE.replace("18,a-3,Apparel > Maternity Tops,2\n", ""))
    mapping = GoogleMapping(Taxonomy.load(tmp_path / "google.txt"), Taxonomy.load(tmp_path / "tree.csv"))
    tops = mapping.google.node(2).index
    assert mapping.taxonomy.nodes[mapping.heads[tops]].code == "a-1"
    assert [mapping.taxonomy.nodes[index].code for index in mapping.finer[tops]] == ["a-1-2", "a-1-1"]


def test_finer_categories_are_below_their_head_only(mapping: GoogleMapping) -> None:
    socks, lotion = mapping.google.node(3).index, mapping.google.node(9).index
    assert socks not in mapping.finer  # crew socks are beside socks, not below
    assert [mapping.taxonomy.nodes[index].code for index in mapping.finer[lotion]] == ["b-1", "b-2"]


def test_the_shipped_tree_maps_all_of_google() -> None:
    tree = Taxonomy.of(SHOPIFY)
    mapping = GoogleMapping.of(tree)
    assert mapping is not None
    assert (tree.version, len(tree)) == (SHOPIFY_VERSION, 10_595)
    assert (mapping.heads >= 0).all()
    shirts = mapping.google.node(212)
    assert tree.nodes[mapping.heads[shirts.index]].path == "Apparel & Accessories > Clothing > Clothing Tops"
    polos = next(node for node in tree.nodes if node.path.endswith("Clothing Tops > Polos"))
    assert polos.index in mapping.finer[shirts.index]
    assert polos.translations["zh"]
    # Its numbers are never Google's ids, so that a listing's category is unambiguous.
    assert not any(node.id in mapping.google for node in tree.nodes)


def test_google_itself_has_no_mapping() -> None:
    assert GoogleMapping.of(Taxonomy.google()) is None


def test_a_wrong_google_id_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "tree.csv"
    path.write_text("id,path,google_id\n1,Wear,shoes\n")
    with pytest.raises(StopWorker, match="line 2: the google_id 'shoes' is no id"):
        Taxonomy.load(path)
