"""Two trained models on the same held-out titles: what each got right, and the gate's ruling on that."""

from collections.abc import Callable, Sequence

import numpy as np

from models.arrays import Booleans, Doubles
from models.student.artifact import Artifact
from models.student.escalation import SecondStage
from models.taxonomy.tree import Taxonomy
from models.training.data.corpus import Example
from models.training.data.examples import split_counts
from models.training.data.feedback_lines import SHOP as FEEDBACK
from models.training.promotion.gate import GateConfig, GateDecision, Paired, decide
from models.training.student.evaluation import LEVELS, StudentPredictions
from models.training.student.trainer import Student
from schemas.errors import StopWorker

RIGHT = "right"
HARMLESS = "not published wrongly"
SHORT_WORDS = 3
SHORT_CHARACTERS = 8
"""A title is short up to this many words, and in Chinese up to this many characters."""


def compare(
    candidate: Artifact,
    serving: Artifact,
    examples: Sequence[Example],
    taxonomy: Taxonomy,
    terms: GateConfig,
    progress: Callable[[str, int, int], None] = lambda name, step, steps: None,
    second: SecondStage | None = None,
) -> GateDecision:
    """The gate's ruling on a candidate, by the held-out titles among the examples.

    Args:
        candidate: The model that may come to serve.
        serving: The model that serves.
        examples: Any; those of the split `test` count, and of those the titles alone.
        taxonomy: The models' tree.
        terms: The terms of promotion.
        progress: Called with what is being done, the step and the number of steps.
        second: With what both serve as cascades; None: the students alone are compared.

    Raises:
        StopWorker: There is no title to judge by.
    """
    titles = [example for example in examples if example.split == "test" and example.kind == "title"]
    if not titles:
        raise StopWorker(
            "The data hold out no title to judge by. A tenth of the titles is held out, by the hash of its "
            "words: there are too few different ones."
        )
    scores = []
    for step, (name, artifact) in enumerate((("serving", serving), ("candidate", candidate))):
        progress(f"judging by the {name}", step, 2)
        scores.append(score(artifact, titles, taxonomy, second))
    progress("judged", 2, 2)
    (right, harmless), (candidate_right, candidate_harmless) = scores
    measures = {
        RIGHT: Paired(right, candidate_right),
        HARMLESS: Paired(harmless, candidate_harmless),
    }
    return decide(measures, protected_slices(titles), shop_masks(titles), terms)


def score(
    artifact: Artifact, titles: Sequence[Example], taxonomy: Taxonomy, second: SecondStage | None = None
) -> tuple[Doubles, Doubles]:
    """What a model gets right, alone or with the second stage of its cascade, each of shape [titles].

    Returns:
        The share of the label's levels, of the first three, whose likeliest category is the label's; and 1.0,
        or 0.0 where a category would be published that is neither the label, above it nor below it.
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
    sure, fitting = predictions.decided(manifest.thresholds)
    return hits / levels, np.asarray(~(sure & ~fitting), dtype=np.float64)


def served_student(artifact: Artifact) -> Student:
    """The student as it is served: the int8 table times its scales."""
    table = artifact.tensor("table").astype(np.float32) * artifact.tensor("scales")[:, None]
    return Student(
        hashes=artifact.tensor("hashes"),
        table=table,
        weights=artifact.tensor("weights").astype(np.float32),
        bias=artifact.tensor("bias"),
        shrinkage=artifact.manifest.shrinkage,
        familiar=artifact.tensor("familiar"),
    )


def shops_split_differently(artifact: Artifact, examples: Sequence[Example]) -> list[str]:
    """The shops of which the model learnt other texts than the split `train` of these examples.

    People's words are not looked at: there are more of them each time.
    """
    learnt = {each.name: each for each in artifact.manifest.training_data}
    now = [each for each in split_counts(examples) if each.name != FEEDBACK]
    return [each.name for each in now if each != learnt.get(each.name)]


def shop_masks(titles: Sequence[Example]) -> dict[str, Booleans]:
    """Which titles are of which shop, people's words being one."""
    return {
        shop: np.array([title.shop == shop for title in titles])
        for shop in dict.fromkeys(title.shop for title in titles)
    }


def protected_slices(titles: Sequence[Example]) -> dict[str, Booleans]:
    """The slices on which no candidate may be worse: shops, languages, short titles, people's words."""
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
