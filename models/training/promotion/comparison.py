"""Comparison of two trained models on the same held-out titles, as input of the promotion gate."""

from collections.abc import Sequence

import numpy as np

from models.arrays import Booleans, Doubles
from models.student.artifact import Artifact
from models.student.escalation import SecondStage
from models.taxonomy.tree import Taxonomy
from models.training.data.corpus import Example
from models.training.data.examples import split_counts
from models.training.data.feedback_lines import SHOP as FEEDBACK
from models.training.progress import ProgressCallback, ignore_progress
from models.training.promotion.gate import GateConfig, GateDecision, Paired, decide
from models.training.student.evaluation import LEVELS, StudentPredictions
from models.training.student.student import Student
from schemas.errors import StopWorker

RIGHT = "right"
"""Metric: share of the label's levels, of the first three, whose most probable category is the label's."""
NOT_WRONG = "not published wrongly"
"""Metric: 0 if a wrong category would be published, otherwise 1."""
SHORT_WORDS = 3
SHORT_CHARACTERS = 8
"""A title is short up to this many words, and in Chinese up to this many characters."""


def compare(
    candidate: Artifact,
    serving: Artifact,
    examples: Sequence[Example],
    taxonomy: Taxonomy,
    config: GateConfig,
    progress: ProgressCallback = ignore_progress,
    second: SecondStage | None = None,
) -> GateDecision:
    """Evaluate both models on the held-out titles, and let the gate decide.

    Args:
        candidate: Model that may be promoted.
        serving: Model that serves now.
        examples: Labeled examples. Titles of the split `test` count.
        taxonomy: Category tree of both models.
        config: Settings of the gate.
        progress: Called before each model's evaluation and at the end.
        second: Second stage of the cascade that both are served with; None to compare the students alone.

    Raises:
        StopWorker: There is no held-out title.
    """
    titles = [example for example in examples if example.split == "test" and example.kind == "title"]
    if not titles:
        raise StopWorker(
            "The data hold out no title to evaluate on. A tenth of the titles is held out, by the hash of "
            "its words: there are too few different ones."
        )
    scores = []
    for step, (name, artifact) in enumerate((("serving", serving), ("candidate", candidate))):
        progress(f"evaluating the {name} model", step, 2)
        scores.append(score(artifact, titles, taxonomy, second))
    progress("evaluated", 2, 2)
    (right, not_wrong), (candidate_right, candidate_not_wrong) = scores
    metrics = {
        RIGHT: Paired(right, candidate_right),
        NOT_WRONG: Paired(not_wrong, candidate_not_wrong),
    }
    return decide(metrics, protected_slices(titles), shop_masks(titles), config)


def score(
    artifact: Artifact, titles: Sequence[Example], taxonomy: Taxonomy, second: SecondStage | None = None
) -> tuple[Doubles, Doubles]:
    """Score a model on each title.

    Args:
        artifact: Model.
        titles: Labeled titles.
        taxonomy: Category tree of the model.
        second: Second stage of the cascade; None to score the student alone.

    Returns:
        The values of the metrics `RIGHT` and `NOT_WRONG`, each of shape [titles]. A published category is
        wrong if it is neither the label, an ancestor of the label, nor below it.
    """
    manifest = artifact.manifest
    if manifest.alone is True:
        second = None
    predictions = StudentPredictions(served_student(artifact), titles, taxonomy, manifest.temperature, second)
    hits, levels = np.zeros(len(titles)), np.zeros(len(titles))
    for level in range(1, min(LEVELS, taxonomy.lineage.shape[1]) + 1):
        deep = taxonomy.lineage[predictions.labels, level - 1] >= 0
        _, right = predictions.at_level(level)
        hits[deep] += right
        levels[deep] += 1.0
    published, correct = predictions.decided(manifest.thresholds)
    return hits / levels, np.asarray(~(published & ~correct), dtype=np.float64)


def served_student(artifact: Artifact) -> Student:
    """Load a student with the precision that it is served with: the int8 table times its scales."""
    table = artifact.tensor("table").astype(np.float32) * artifact.tensor("scales")[:, None]
    return Student(
        hashes=artifact.tensor("hashes"),
        table=table,
        weights=artifact.tensor("weights").astype(np.float32),
        bias=artifact.tensor("bias"),
        shrinkage=artifact.manifest.shrinkage,
        seen_ngrams=artifact.tensor("familiar"),
    )


def shops_split_differently(artifact: Artifact, examples: Sequence[Example]) -> list[str]:
    """Find the shops whose split counts differ from those that the model was trained with.

    The model may have been trained on held-out titles of such a shop. Feedback is ignored, as it grows.

    Args:
        artifact: Model.
        examples: Labeled examples.

    Returns:
        Names of the shops.
    """
    trained = {each.name: each for each in artifact.manifest.training_data}
    current = [each for each in split_counts(examples) if each.name != FEEDBACK]
    return [each.name for each in current if each != trained.get(each.name)]


def shop_masks(titles: Sequence[Example]) -> dict[str, Booleans]:
    """Which titles each shop has, shape [titles]. Feedback counts as a shop."""
    return {
        shop: np.array([title.shop == shop for title in titles])
        for shop in dict.fromkeys(title.shop for title in titles)
    }


def protected_slices(titles: Sequence[Example]) -> dict[str, Booleans]:
    """The slices on which a candidate must not be worse: shops, feedback, languages, short titles.

    Args:
        titles: Labeled titles.

    Returns:
        Which titles each slice contains, shape [titles], by the name of the slice.
    """
    shops = {name if name == FEEDBACK else f"shop {name}": mask for name, mask in shop_masks(titles).items()}
    languages = {
        f"language {language}": np.array([title.language == language for title in titles])
        for language in dict.fromkeys(title.language for title in titles)
    }
    return shops | languages | {"short titles": np.array([_is_short(title) for title in titles])}


def _is_short(title: Example) -> bool:
    if title.language == "zh":
        return len(title.text) <= SHORT_CHARACTERS
    return len(title.text.split()) <= SHORT_WORDS
