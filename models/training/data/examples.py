"""The examples of a training run: the shops' labeled titles, corrections, and human feedback."""

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
    """Files with labels from people, in addition to the shops' data.

    Attributes:
        feedback: File from `shelfstream feedback export`; None for no feedback.
        corrections: Reviewed table from `shelfstream labels check`; None for no corrections.
    """

    feedback: Path | None = None
    corrections: Path | None = None

    def options(self, feedback_weight: float) -> str:
        """The options of `shelfstream train` for these files, with placeholders for the paths."""
        feedback = f" --with-feedback FEEDBACK --feedback-weight {feedback_weight:g}"
        return (feedback if self.feedback else "") + (
            " --corrections CORRECTIONS" if self.corrections else ""
        )


def read_examples(
    data: Path, taxonomy: Taxonomy, human_labels: HumanLabels, feedback_weight: float
) -> list[Example]:
    """Read the shops' corrected examples, followed by those of human feedback.

    Feedback on a title overrides a shop's label that contradicts it. An accepted correction overrides both.

    Args:
        data: Folder with `products/` and `mappings/`.
        taxonomy: Category tree that the mappings point into.
        human_labels: Files with feedback and corrections.
        feedback_weight: Weight of a feedback example in the training loss; a shop's title has weight 1.

    Raises:
        StopWorker: A file is missing or malformed, or a correction is for a title that no shop has.
    """
    corrections = read_corrections(human_labels.corrections, taxonomy) if human_labels.corrections else {}
    shops = shops_of(data, taxonomy)
    examples = read_shops(data, taxonomy, shops, corrections)
    unknown = corrections.keys() - {(example.shop, example.text) for example in examples}
    if unknown:
        shop, title = min(unknown)
        raise StopWorker(
            f"{human_labels.corrections} corrects {title!r}, which {shop!r} does not have in {data}."
        )
    if human_labels.feedback is None:
        return examples
    feedback = feedback_examples(read_feedback(human_labels.feedback, taxonomy), taxonomy, feedback_weight)
    if overrides := _overrides(examples, feedback, taxonomy):
        examples = read_shops(data, taxonomy, shops, overrides | corrections)
    return [*examples, *feedback]


def _overrides(
    examples: Sequence[Example], feedback: Sequence[Example], taxonomy: Taxonomy
) -> dict[tuple[str, str], int]:
    """Categories of feedback by shop and title, where they contradict the shop's label."""
    chosen = {example.text: example.category for example in feedback}
    return {
        (example.shop, example.text): chosen[example.text]
        for example in examples
        if example.text in chosen and contradict((example.category, chosen[example.text]), taxonomy)
    }


def split_counts(examples: Sequence[Example]) -> list[TrainingData]:
    """Count the texts of each shop in each split."""
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
