"""Classification in a tree that is mapped to Google's: the same decisions, and deeper where names tell."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.arrays import Floats
from models.encoder.by_language import Encoders
from models.encoder.loading import load_encoders
from models.student.classifier import Classification
from models.taxonomy.google_mapping import GoogleMapping
from models.taxonomy.tree import Taxonomy
from models.zero_shot.mapped_classifier import MappedClassifier
from models.zero_shot.name_match import names_in

TREE = """id,path,name:zh,google_id
1,Wear,服饰,166
2,Wear > Tops,上衣,212
3,Wear > Tops > Polos,Polo衫,212
4,Wear > Tops > T-Shirts,T恤,212
5,Wear > Footwear,鞋,187
6,Wear > Footwear > Boots,靴子,187
7,Wear > Footwear > Boots > Rain Boots,雨靴,187
"""
SHIRTS, SHOES, MEDIA = 212, 187, 783


class OneCategory:
    """Classifies every text as one category of Google's tree."""

    model_version, dimensions, reads_descriptions = "one", 2, True
    thresholds: tuple[float, ...] = (0.9,)

    def __init__(self, google: Taxonomy, number: int, confidence: float = 0.99, sure: bool = True) -> None:
        index = google.node(number).index
        vector = np.array([1, 2], dtype=np.int8)
        self.result = Classification(index, confidence, sure, ((index, confidence),), vector)
        self.row = np.zeros(len(google), dtype=np.float32)
        self.row[index] = confidence

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        return [self.result for _ in texts]

    def probabilities(self, texts: Sequence[str]) -> Floats:
        return np.stack([self.row for _ in texts])


@pytest.fixture(scope="module")
def mapping(tmp_path_factory: pytest.TempPathFactory) -> GoogleMapping:
    path = tmp_path_factory.mktemp("tree") / "wear.csv"
    path.write_text(TREE, encoding="utf-8")
    found = GoogleMapping.of(Taxonomy.load(path))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def encoders() -> Encoders:
    return load_encoders()


def decided(mapping: GoogleMapping, result: Classification) -> str:
    return mapping.taxonomy.nodes[result.category].path


@pytest.mark.parametrize(
    ("number", "title", "path"),
    [
        (SHIRTS, "mens slim fit polo", "Wear > Tops > Polos"),
        (SHIRTS, "printed round neck tshirt", "Wear > Tops > T-Shirts"),
        (SHIRTS, "no word that tells", "Wear > Tops"),
        (SHIRTS, "纯棉短袖t恤男", "Wear > Tops > T-Shirts"),
        (SHOES, "yellow rain boots", "Wear > Footwear > Boots > Rain Boots"),
    ],
)
def test_titles_are_placed_below_googles_category(
    mapping: GoogleMapping, encoders: Encoders, number: int, title: str, path: str
) -> None:
    classifier = MappedClassifier(OneCategory(mapping.google, number), mapping, encoders)
    (result,) = classifier.classify([title])
    assert decided(mapping, result) == path
    assert result.sure
    assert result.confidence <= 0.99
    assert result.candidates[0][0] == result.category


def test_nothing_is_placed_without_encoders_or_where_google_is_unsure(
    mapping: GoogleMapping, encoders: Encoders
) -> None:
    title = ["mens slim fit polo"]
    (alone,) = MappedClassifier(OneCategory(mapping.google, SHIRTS), mapping, None).classify(title)
    assert decided(mapping, alone) == "Wear > Tops"
    low = OneCategory(mapping.google, SHIRTS, 0.6, sure=False)
    (guess,) = MappedClassifier(low, mapping, encoders).classify(title)
    assert (decided(mapping, guess), guess.sure) == ("Wear", False)
    # What the tree has no place for is published nowhere.
    (nothing,) = MappedClassifier(OneCategory(mapping.google, MEDIA), mapping, None).classify(title)
    assert (nothing.category, nothing.sure, nothing.candidates) == (-1, False, ())


def test_probabilities_move_to_the_heads(mapping: GoogleMapping) -> None:
    (row,) = MappedClassifier(OneCategory(mapping.google, SHIRTS), mapping, None).probabilities(["any"])
    tops = next(node.index for node in mapping.taxonomy.nodes if node.name == "Tops")
    assert row[tops] == pytest.approx(0.99)
    assert row.sum() == pytest.approx(0.99)


def test_the_version_changes_with_the_mapping(mapping: GoogleMapping, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text(TREE.replace("Polo衫", "马球衫"), encoding="utf-8")
    other = GoogleMapping.of(Taxonomy.load(tmp_path / "other.csv"))
    assert other is not None
    one = OneCategory(mapping.google, SHIRTS)
    versions = {MappedClassifier(one, each, None).model_version for each in (mapping, other)}
    assert len(versions) == 2
    assert all(version.startswith("one+mapped-") for version in versions)


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("nike crew socks 3 pack", ["crew socks"]),
        ("women's sock", ["socks"]),
        ("printed t-shirt", ["t-shirts"]),
        ("printed t shirt", ["t-shirts"]),
        ("printed tshirts and a shirt", ["t-shirts"]),
        ("two dresses", ["dress"]),
        ("a glass of berries", ["glasses"]),
        ("socket set", []),
        ("女士雨靴", ["雨靴"]),
        ("", []),
    ],
)
def test_names_stand_in_titles_as_whole_words(title: str, found: list[str]) -> None:
    names = ["socks", "crew socks", "t-shirts", "shirts", "dress", "glasses", "雨靴", "靴", ""]
    flags = names_in(title, names)
    assert [name for name, flag in zip(names, flags, strict=True) if flag] == found
