"""Zero-shot classification: both scorers, the cache of prototypes, abstaining, explanations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.arrays import Floats
from models.encoder.loading import load_encoders, load_second_stage, taxonomy_prototypes
from models.encoder.prototype_cache import cached_prototypes
from models.encoder.prototypes import Prototypes, prototype_texts
from models.serving_config import ServingConfig
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import is_foreign
from models.zero_shot.character_overlap import MAX_PIECES, CharacterOverlap, hashed_vector, pieces
from models.zero_shot.classifier import ZeroShotClassifier
from models.zero_shot.explanation import explain_by_similarity
from schemas.errors import StopWorker

ENGLISH = load_encoders().stages["en"]
ROWS = """id\tpath\tname:zh\texamples
1\tKitchen\t厨房用品\t
2\tKitchen > Mugs & Cups\t杯子\t
3\tKitchen > Teapots\t茶壶\tSencha kyusu with side handle
4\tGarden\t花园\t
5\tGarden > Spades\t铁锹\t
6\tClothing\t服装\t
7\tClothing > Shirts\t衬衫\t真丝上衣|旗袍
8\tClothing > Gloves\t手套\t
"""


def load(folder: Path, rows: str = ROWS) -> Taxonomy:
    path = folder / "shop.tsv"
    path.write_text(rows, encoding="utf-8")
    return Taxonomy.load(path)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Taxonomy:
    return load(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def classifier(tree: Taxonomy) -> ZeroShotClassifier:
    return ZeroShotClassifier.load(tree)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("ceramic coffee mug", "Kitchen > Mugs & Cups"),
        ("kyusu with side handle 300 ml", "Kitchen > Teapots"),
        ("long sleeved cotton shirt", "Clothing > Shirts"),
        ("纯棉男士蓝色衬衫", "Clothing > Shirts"),
        ("紫砂大号茶壶", "Kitchen > Teapots"),
        ("改良旗袍连衣裙", "Clothing > Shirts"),
        ("nike 手套 冬季", "Clothing > Gloves"),
    ],
)
def test_names_translations_and_examples_classify_a_title(
    classifier: ZeroShotClassifier, tree: Taxonomy, text: str, path: str
) -> None:
    (found,) = classifier.classify([text])
    assert found.sure
    assert path.startswith(tree.nodes[found.category].path)
    assert tree.nodes[found.candidates[0][0]].path == path


@pytest.mark.parametrize(
    "text",
    ["iphone 13 case", "organic oat milk 1 l", "zzqx vvkj wwpt", "手机壳", "有机燕麦牛奶", "8472 1123"],
)
def test_products_outside_the_tree_are_left_for_review(classifier: ZeroShotClassifier, text: str) -> None:
    (found,) = classifier.classify([text])
    assert not found.sure


@pytest.mark.parametrize("text", ["", "🙂", "…", "кроссовки"])
def test_a_text_without_known_words_has_no_category(classifier: ZeroShotClassifier, text: str) -> None:
    (found,) = classifier.classify([text])
    assert (found.category, found.sure, found.candidates) == (-1, False, ())
    assert not found.embedding.any()


def test_the_version_depends_on_each_text_of_the_tree(tmp_path: Path) -> None:
    versions = [
        ZeroShotClassifier.load(load(tmp_path, rows)).model_version
        for rows in (ROWS, ROWS.replace("茶壶", "茶具"), ROWS.replace("Sencha", "Banko"), ROWS)
    ]
    assert len(set(versions)) == 3
    assert versions[0] == versions[3]
    assert all(version.endswith(f"+{load(tmp_path).version}") for version in versions)
    assert all(version.startswith("zero-shot-") for version in versions)


def test_a_chinese_tree_has_no_english_prototypes(tmp_path: Path) -> None:
    tree = load(tmp_path, "id,path\n1,服装\n2,服装 > 衬衫\n3,厨房\n4,厨房 > 茶壶\n")
    assert prototype_texts(tree, "en") == []
    assert ("衬衫", "服装 > 衬衫") in [each.texts for each in prototype_texts(tree, "zh")]
    stage = load_second_stage(tree)
    assert stage is not None
    assert [*stage.stages] == ["zh"]
    chinese, english = ZeroShotClassifier.load(tree).classify(["蓝色衬衫", "blue shirt"])
    assert tree.nodes[chinese.category].path == "服装 > 衬衫"
    assert english.category == -1
    with pytest.raises(StopWorker, match="name:en"):
        Prototypes.from_taxonomy(tree, ENGLISH.encode)


def test_english_names_of_a_chinese_tree_are_read(tmp_path: Path) -> None:
    tree = load(tmp_path, "id,path,name:en\n1,服装,Clothing\n2,服装 > 衬衫,Shirts\n3,厨房,\n")
    assert [(each.category, each.texts) for each in prototype_texts(tree)] == [
        (tree.node(1).index, ("clothing", "clothing")),
        (tree.node(2).index, ("shirts", "clothing > shirts")),
    ]
    assert len(prototype_texts(tree, "zh")) == 3
    found = ZeroShotClassifier.load(tree, ServingConfig(threshold=0.5)).classify(["blue cotton shirt"])[0]
    assert tree.nodes[found.category].id == 2


def test_a_tree_without_words_decides_nothing(tmp_path: Path) -> None:
    tree = load(tmp_path, "id,path\n1,🎁\n")
    for found in ZeroShotClassifier.load(tree).classify(["gift", "礼物"]):
        assert not found.sure


def test_the_longer_of_two_names_in_a_title_wins(tmp_path: Path) -> None:
    tree = load(tmp_path, "id,path\n1,鞋\n2,运动鞋\n3,手套\n4,手机\n")
    overlap = CharacterOverlap(tree)
    running, phone = overlap.scores(["男士运动鞋", "手机壳"])
    assert tree.nodes[int(running.argmax())].id == 2
    assert tree.nodes[int(phone.argmax())].id == 4
    assert phone[tree.node(3).index] < 0.5 < phone.max() <= 1.0
    assert not overlap.scores(["牛奶"]).any()


def test_hashed_vectors_of_similar_texts_are_near() -> None:
    texts = ("男士蓝色衬衫", "女士蓝色衬衫", "有机纯牛奶")
    shirt, blouse, milk = (hashed_vector(text, 384) for text in texts)
    assert np.linalg.norm(shirt) == pytest.approx(1.0)
    assert shirt @ blouse > 0.5 > abs(shirt @ milk) + 0.2
    assert not hashed_vector("…", 384).any()


def test_long_texts_are_read_in_part() -> None:
    assert len(pieces("衬衫" * 1000)) == len(pieces("x" * 2000 + " shirt" * 300)) == MAX_PIECES


@pytest.mark.parametrize(
    ("text", "foreign"), [("café 10 μm", False), ("茶", True), ("чай", True), ("شاي", True), ("차", True)]
)
def test_foreign_scripts_are_recognized(text: str, foreign: bool) -> None:
    assert is_foreign(text) is foreign


def test_prototypes_are_cached_and_replaced_when_they_do_not_fit(tmp_path: Path, tree: Taxonomy) -> None:
    calls: list[int] = []

    def encode(texts: Sequence[str]) -> Floats:
        calls.append(len(texts))
        return ENGLISH.encode(texts)

    folder = tmp_path / "deep" / "prototypes"
    first = cached_prototypes(tree, "en", encode, "v1", folder)
    again = cached_prototypes(tree, "en", encode, "v1", folder)
    assert len(calls) == 1
    assert np.array_equal(first.vectors, again.vectors)
    (path,) = folder.iterdir()
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"", content[:-600] + bytes(600)):
        path.write_bytes(damaged)
        assert np.array_equal(cached_prototypes(tree, "en", encode, "v1", folder).vectors, first.vectors)
    assert len(calls) == 4
    assert path.read_bytes() == content
    cached_prototypes(tree, "en", encode, "v2", folder)
    assert len(calls) == 5
    assert len(list(folder.iterdir())) == 2


def test_prototypes_are_encoded_each_time_without_a_writable_cache(tmp_path: Path, tree: Taxonomy) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert taxonomy_prototypes(tree, ENGLISH, blocked / "prototypes") is not None


def test_an_explanation_ends_at_the_decision(classifier: ZeroShotClassifier, tree: Taxonomy) -> None:
    for title in ("Ceramic coffee mug", "纯棉男士蓝色衬衫", "kyusu side handle"):
        steps = explain_by_similarity(title, classifier, tree)
        (found,) = classifier.classify([title.lower()])
        assert steps[-1].category == found.candidates[0][0]
        assert (
            steps[0].probability >= steps[-1].probability == pytest.approx(found.candidates[0][1], abs=1e-4)
        )
    assert (
        explain_by_similarity("Kyusu, side handle", classifier, tree)[1].nearest[0].text.startswith("sencha")
    )
    assert explain_by_similarity("🙂", classifier, tree) == []
