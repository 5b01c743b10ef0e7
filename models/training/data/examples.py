"""All examples of a run: the shops' rows as people put them right, and people's own words."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.student.artifact import TrainingData
from models.taxonomy.label_hierarchy import contradict
from models.taxonomy.tree import Taxonomy
from models.training.data.corpus import Example, read_shops, shops_of
from models.training.data.corrections import read_corrections
from models.training.data.feedback_lines import feedback_examples, read_feedback
from schemas.errors import StopWorker


@dataclass(frozen=True)
class HumanLabels:
    """What people add to the shops' data.

    Attributes:
        feedback: The file of `shelfstream feedback export`; None: none.
        corrections: The file of `shelfstream labels check`, gone through by a person; None: none.
    """

    feedback: Path | None = None
    corrections: Path | None = None

    def options(self, feedback_weight: float) -> str:
        """How a command line names them."""
        weight = f" --with-feedback FEEDBACK --feedback-weight {feedback_weight:g}"
        return (weight if self.feedback else "") + (" --corrections CORRECTIONS" if self.corrections else "")


def gather(data: Path, taxonomy: Taxonomy, people: HumanLabels, feedback_weight: float) -> list[Example]:
    """The shops' examples as people put them right, then those of people's words.

    A shop's label that a person's word on the very title contradicts gives way to it; an accepted correction
    gives way to nothing.

    Raises:
        StopWorker: A file is missing or wrong, or a correction is of a title that no shop has.
    """
    corrections = read_corrections(people.corrections, taxonomy) if people.corrections else {}
    examples = read_shops(data, taxonomy, shops_of(data, taxonomy), corrections)
    strangers = corrections.keys() - {(example.shop, example.text) for example in examples}
    if strangers:
        shop, title = min(strangers)
        raise StopWorker(f"{people.corrections} corrects {title!r}, which {shop!r} does not have in {data}.")
    if people.feedback is None:
        return examples
    words = feedback_examples(read_feedback(people.feedback, taxonomy), taxonomy, feedback_weight)
    if overruled := _overruled(examples, words, taxonomy):
        examples = read_shops(data, taxonomy, corrections=overruled | corrections)
    return [*examples, *words]


def _overruled(
    examples: Sequence[Example], words: Sequence[Example], taxonomy: Taxonomy
) -> dict[tuple[str, str], int]:
    said = {word.text: word.category for word in words}
    return {
        (example.shop, example.text): said[example.text]
        for example in examples
        if example.text in said and contradict((example.category, said[example.text]), taxonomy)
    }


def split_counts(examples: Sequence[Example]) -> list[TrainingData]:
    """How many texts of each shop are in each split."""
    counts = Counter((example.shop, example.split) for example in examples)
    return [
        TrainingData(
            name=shop,
            train=counts[shop, "train"],
            calibration=counts[shop, "calibration"],
            test=counts[shop, "test"],
        )
        for shop in dict.fromkeys(example.shop for example in examples)
    ]
