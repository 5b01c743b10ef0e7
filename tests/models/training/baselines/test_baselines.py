"""Baselines: what they learn, which examples they are trained on, and how they compare with the model."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from models.encoder.loading import load_encoders
from models.enrichment.enricher import Enricher
from models.evaluation.evaluation import compare_baselines, groups
from models.evaluation.predictions import predict
from models.evaluation.titles import own_titles
from models.serving_config import ServingConfig
from models.taxonomy.tree import Taxonomy
from models.training.baselines import all_baselines as baselines
from models.training.baselines.all_baselines import missing_library, predict_all
from models.training.baselines.minilm import batches_of, capped, nearest_names
from models.training.baselines.support_vectors import Predict, support_vectors
from models.training.data.corpus import Example
from tests.support.labeled_shops import TITLES, write_shops

GOOGLE = Taxonomy.google()


def examples() -> list[Example]:
    return [
        Example(f"acme {text} no {number}", GOOGLE.node(category).index, "tiny", "train")
        for category, text in TITLES.items()
        for number in range(20)
    ]


def test_the_svm_learns_words_and_reads_misspelt_ones() -> None:
    predict = support_vectors(examples())
    found = predict(["blue ceramic mug", "runing shoess", "green tea"])
    assert [GOOGLE.nodes[index].id for index in found] == [2169, 187, 2073]


def test_the_nearest_name_needs_no_training() -> None:
    tree = Taxonomy(
        "tiny-1", {1: ("Drinks",), 2: ("Drinks", "Green Tea"), 3: ("Shoes",)}, {}, {3: [("en", "cups")]}
    )
    predict = nearest_names(tree, load_encoders().stages["en"].encode)
    assert [tree.nodes[index].id for index in predict(["japanese green tea bags", "running shoes"])] == [2, 3]
    # Without synonyms, which would make this a shoe.
    assert predict(["cups"])[0] != tree.node(3).index


def test_common_categories_are_capped_and_the_seed_decides() -> None:
    chosen = capped(examples(), 7)
    assert Counter(example.category for example in chosen) == dict.fromkeys(
        {example.category for example in examples()}, 7
    )
    assert chosen == capped(examples(), 7)
    batches = batches_of(chosen, 3)
    assert Counter(example for batch in batches for example in batch) == dict.fromkeys(chosen, 3)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "find_spec", lambda name: None if name == "torch" else object())
    assert missing_library() == "torch"
    monkeypatch.setattr(baselines, "find_spec", lambda name: object())
    assert missing_library() is None


def test_all_baselines_answer_every_text_and_learn_from_the_train_split_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The encoders, which need torch or take minutes, are replaced; their training data is checked."""
    write_shops(tmp_path)
    trained_on: list[Example] = []

    def tuned(examples: list[Example], progress: object) -> Predict:
        trained_on.extend(examples)
        return lambda texts: np.full(len(texts), 7)

    monkeypatch.setattr(baselines, "tuned_encoder", tuned)
    monkeypatch.setattr(baselines, "minilm", lambda: None)
    monkeypatch.setattr(baselines, "nearest_names", lambda tree, encode: lambda texts: np.full(len(texts), 8))
    names: set[str] = set()
    texts = [f"solo ceramic mug {number}" for number in range(70)]
    found = predict_all(tmp_path, GOOGLE, texts, lambda name, step, steps: names.add(name))
    assert {example.split for example in trained_on} == {"train"}
    assert set(found) == {baselines.SVM, baselines.ZERO_SHOT, baselines.TUNED}
    assert [GOOGLE.nodes[index].id for index in found[baselines.SVM]] == [2169] * len(texts)
    assert found[baselines.TUNED].tolist() == [7] * len(texts)
    assert found[baselines.ZERO_SHOT].tolist() == [8] * len(texts)
    assert len(names) == 3


def test_the_model_is_compared_with_baselines_group_by_group() -> None:
    titles = own_titles(GOOGLE)[::25]
    predictions = predict(Enricher.load(ServingConfig(cascade=False)), titles)
    labels = np.array([title.category for title in titles])
    sections = compare_baselines(predictions, {"oracle": labels, "fool": np.zeros_like(labels)}, GOOGLE)
    assert [section.title for section in sections] == [row.name for row in groups(predictions).rows]
    for section, model in zip(sections, groups(predictions).rows, strict=True):
        ours, oracle, fool = section.rows
        assert ours.levels == model.levels
        assert [level.accuracy for level in oracle.levels if level.texts] == [1.0] * sum(
            level.texts > 0 for level in oracle.levels
        )
        assert fool.levels[0].accuracy < 0.5
        assert (oracle.calibration_error, oracle.coverage, oracle.precision) == (None, None, None)
