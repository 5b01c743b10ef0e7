"""Evaluation: the committed titles, the shops' held-out ones, predictions, scores, and the whole report."""

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.enrichment.enricher import Enricher
from models.evaluation.evaluation import evaluate
from models.evaluation.predictions import LEVELS, Predictions, predict
from models.evaluation.reasons import reasons
from models.evaluation.report import (
    FORMAT,
    Bin,
    Confusion,
    Curve,
    Detail,
    Level,
    Mistake,
    Report,
    Scores,
    Section,
)
from models.evaluation.scoring import confusions, level_scores, mistakes, scores
from models.evaluation.titles import OWN, LabeledTitle, known_titles, own_titles
from models.serving_config import ServingConfig
from models.student.artifact import Artifact
from models.student.explanation import Explainer
from models.taxonomy.tree import Taxonomy
from models.training.data.corpus import split_of
from schemas.errors import StopWorker
from schemas.events import DecisionOutcome, ProductCreated
from tests.support.labeled_shops import write_shops

GOOGLE = Taxonomy.google()
ENRICHER = Enricher.load(ServingConfig(cascade=False))
DATA = Path(__file__).resolve().parents[3] / "models" / "evaluation" / "data"


def labeled(title: str, category_id: int, language: str = "en") -> LabeledTitle:
    return LabeledTitle(title, GOOGLE.node(category_id).index, "test", "test", language)


def test_the_committed_labels_are_in_the_tree_and_titles_are_distinct() -> None:
    titles = own_titles(GOOGLE)
    assert {title.source for title in titles} == set(OWN.values())
    assert all(title.title.strip() == title.title != "" for title in titles)
    assert max(Counter(title.title.lower() for title in titles).values()) == 1


def test_the_committed_sets_have_the_sizes_that_their_pages_state() -> None:
    readme = (DATA / "README.md").read_text("utf-8")
    counts = Counter((title.source, title.language) for title in own_titles(GOOGLE))
    assert f"{counts['gift shop', 'en']} titles of a British giftware shop" in readme
    written = f"{counts['written titles', 'en']} English and {counts['written titles', 'zh']} Chinese titles"
    assert written in readme
    card = (DATA.parents[2] / "docs" / "models" / "data.md").read_text("utf-8")
    assert f"| gift shop | {counts['gift shop', 'en']} English |" in card
    assert f"| written titles | {written.replace(' and ', ', ').removesuffix(' titles')} |" in card
    for language in ("en", "zh"):
        departments = {
            GOOGLE.nodes[title.category].names[0]
            for title in own_titles(GOOGLE)
            if title.source == "written titles" and title.language == language
        }
        assert len(departments) == len(GOOGLE.roots)


def test_another_tree_is_rejected_with_the_title_and_the_category() -> None:
    other = Taxonomy("other-1", {194: ("Earrings",)}, {})
    with pytest.raises(StopWorker, match=r"GLOVES.*5113.*other-1"):
        own_titles(other)


def test_only_held_out_titles_of_the_shops_are_read_and_brands_counted(tmp_path: Path) -> None:
    write_shops(tmp_path)
    titles = known_titles(tmp_path, GOOGLE)
    assert titles
    assert all(split_of(title.title.partition(" 品牌 ")[0]) == "test" for title in titles)
    assert {title.shop for title in titles} >= {"flipkart title", "openbg title", "openbg attributes"}
    brands = {title.title.split()[0]: title.listings for title in titles if title.shop == "flipkart title"}
    assert brands["acme"] > 50
    assert brands["solo"] == 2
    assert not any(title.listings for title in titles if title.shop != "flipkart title")


def test_a_prediction_is_the_enricher_s_decision() -> None:
    titles = [
        labeled("ceramic mug", 2169),
        labeled("🙂", 2169),
        labeled("running shoes for men", 187),
        labeled("men's cotton shirt", 166),
    ]
    predictions = predict(ENRICHER, titles)
    products = [ProductCreated(product_id="1", title=title.title) for title in titles]
    for row, enrichment in enumerate(ENRICHER.enrich(products)):
        assert predictions.published[row] == (enrichment.decision.outcome is DecisionOutcome.MODEL)
        if enrichment.category is None:
            assert predictions.predicted[row].tolist() == [-1] * LEVELS
            assert (predictions.decided[row], predictions.right[row]) == (-1, False)
        else:
            assert GOOGLE.nodes[predictions.decided[row]].id == enrichment.category.id
            assert predictions.certainty[row] == enrichment.category.confidence
    # The last prediction is deeper than its coarse label, and right.
    assert predictions.right.tolist() == [True, False, True, True]
    assert [GOOGLE.nodes[index].name for index in predictions.predicted[0]] == [
        "Home & Garden",
        "Kitchen & Dining",
        "Tableware",
    ]
    assert (predictions.labels[3] >= 0).tolist() == [True, False, False]


def made(truth: list[str], guess: list[str], certainty: list[float], published: list[bool]) -> Predictions:
    """Predictions whose decisions are the guesses. Both are given as names of categories."""
    index = {node.name: node.index for node in GOOGLE.nodes}
    labels = np.array([index[name] for name in truth])
    decided = np.array([index[name] for name in guess])
    confidence = np.tile(np.array(certainty)[:, None], (1, LEVELS))
    return Predictions(
        titles=tuple(
            LabeledTitle(f"title {n}", label, "test", "test", "en") for n, label in enumerate(labels)
        ),
        labels=GOOGLE.lineage[labels, :LEVELS],
        predicted=GOOGLE.lineage[decided, :LEVELS],
        confidence=confidence,
        decided=decided,
        certainty=np.array(certainty),
        published=np.array(published),
        right=labels == decided,
    )


MADE = made(
    ["Mugs", "Mugs", "Mugs", "Bracelets", "Software"],
    ["Mugs", "Shot Glasses", "Earrings", "Earrings", "Media"],
    [0.99, 0.9, 0.8, 0.95, 0.3],
    [True, True, False, True, False],
)


def test_scores_count_the_titles_whose_label_is_deep_enough() -> None:
    found = scores("made", MADE)
    assert [level.texts for level in found.levels] == [5, 4, 4]
    assert [level.accuracy for level in found.levels] == [0.6, 0.75, 0.5]
    assert found.levels[0].categories == 3
    assert found.coverage == 0.6
    assert found.precision == pytest.approx(1 / 3, abs=1e-4)
    assert found.levels == level_scores(MADE.labels, MADE.predicted)
    nothing = scores("none", MADE.take([4]))
    assert (nothing.coverage, nothing.precision, nothing.levels[1].texts) == (0.0, None, 0)


def test_only_siblings_are_confused_and_the_most_confident_mistakes_come_first() -> None:
    pairs = {
        (each.label, each.taken_for): (each.level, each.texts, each.of) for each in confusions(MADE, GOOGLE)
    }
    assert pairs == {
        ("Software", "Media"): (1, 1, 1),
        ("Home & Garden", "Apparel & Accessories"): (1, 1, 3),
        ("Apparel & Accessories > Jewelry > Bracelets", "Earrings"): (3, 1, 1),
    }
    worst = mistakes(MADE, GOOGLE, lambda title: [f"because of {title}"], 2)
    assert [(each.title, each.published) for each in worst] == [("title 3", True), ("title 1", True)]
    assert worst[0].reasons == ["because of title 3"]
    assert worst[1].decided.endswith("Shot Glasses")


def test_reasons_name_the_pieces_and_unknown_titles_have_none() -> None:
    explain = reasons(Explainer(Artifact.load(None, GOOGLE), GOOGLE), GOOGLE)
    assert explain("ceramic mug")[0].startswith("Home & Garden ")
    assert "mug +" in explain("ceramic mug")[0]
    assert explain("🙂") == ["Not one word of the title is known to the student."]


def test_the_report_is_reproducible_and_survives_json(tmp_path: Path) -> None:
    write_shops(tmp_path)
    titles = [*own_titles(GOOGLE)[::5], *known_titles(tmp_path, GOOGLE)]
    artifact = Artifact.load(None, GOOGLE)
    steps: list[tuple[str, int, int]] = []

    def report() -> Report:
        found, predictions = evaluate(
            ENRICHER,
            titles,
            artifact.manifest,
            lambda title: [title],
            cascade=False,
            progress=lambda *step: steps.append(step),
        )
        assert len(predictions) == len(titles)
        return found

    first = report()
    assert first == report()
    assert msgspec.json.decode(msgspec.json.encode(first), type=Report) == first
    assert first.model_version == ENRICHER.model_version == artifact.manifest.model_version
    assert [detail.source for detail in first.details] == [*OWN.values(), "known shops"]
    assert sum(row.texts for row in first.groups.rows) == len(titles)
    assert first.sellers is not None
    assert len(first.unseen) == sum(
        each.name.startswith("unseen ") for each in artifact.manifest.measurements
    )
    assert ("Titles", len(titles), len(titles)) in steps


@pytest.mark.parametrize(
    ("struct", "fields"),
    [
        (Bin, "texts confidence accuracy"),
        (Confusion, "level label taken_for texts of"),
        (Curve, "level points"),
        (Detail, "source scores reliability curves confusions mistakes"),
        (Level, "level texts accuracy low high macro_f1 categories"),
        (Mistake, "title label decided confidence published reasons"),
        (Scores, "name texts levels calibration_error coverage precision"),
        (Section, "title note rows"),
        (
            Report,
            "format model_version taxonomy_version cascade groups languages details slices sellers unseen",
        ),
    ],
)
def test_format_1_keeps_its_fields(struct: type[msgspec.Struct], fields: str) -> None:
    """Programs read the report: fields may be added at the end, but not renamed."""
    assert FORMAT == 1
    expected = tuple(fields.split())
    assert struct.__struct_fields__[: len(expected)] == expected
