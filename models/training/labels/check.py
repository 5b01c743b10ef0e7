"""`shelfstream labels check` as a library: contradictory and likely wrong labels of all shops."""

from dataclasses import replace
from pathlib import Path

from models.taxonomy.tree import Taxonomy
from models.training.data.corpus import labeled_rows, read_shops, shops_of
from models.training.data.corrections import Suggestion, write_suggestions
from models.training.labels.conflicts import label_conflicts
from models.training.labels.errors import CONFIG, label_errors
from models.training.progress import ProgressCallback, ignore_progress
from models.training.student.config import TrainingConfig


def check_labels(
    data: Path,
    taxonomy: Taxonomy,
    config: TrainingConfig = CONFIG,
    progress: ProgressCallback = ignore_progress,
) -> list[Suggestion]:
    """Find contradictory labels and labels that are likely wrong.

    Args:
        data: Folder with `products/` and `mappings/`.
        taxonomy: Category tree that the mappings point into.
        config: Training config of the students that classify held-out titles.
        progress: Called as the students are trained.

    Returns:
        At most one suggestion per shop and title: conflicts first, then likely errors by confidence,
        descending.

    Raises:
        StopWorker: A file of the data folder is missing or malformed.
    """
    shops = shops_of(data, taxonomy)
    rows = ((shop, title, label) for shop in shops for title, label, _ in labeled_rows(data, shop, taxonomy))
    conflicts = label_conflicts(rows, taxonomy)
    reported = {(each.shop, each.title) for each in conflicts}
    titles = [each for each in read_shops(data, taxonomy, shops) if each.kind == "title"]
    errors = label_errors(titles, taxonomy, config, progress=progress)
    return [*conflicts, *(each for each in errors if (each.shop, each.title) not in reported)]


def write_label_check(
    data: Path,
    output: Path,
    taxonomy: Taxonomy,
    seed: int | None = None,
    progress: ProgressCallback = ignore_progress,
) -> list[Suggestion]:
    """Check the labels and write the suggestions as a table for a person to review.

    Args:
        data: Folder with `products/` and `mappings/`.
        output: Tab-separated file to write.
        taxonomy: Category tree that the mappings point into.
        seed: Seed of the training; None for the default.
        progress: Called as the students are trained.

    Returns:
        The suggestions, as in the table.

    Raises:
        StopWorker: A file of the data folder is missing or malformed.
        OSError: The table cannot be written.
    """
    config = CONFIG if seed is None else replace(CONFIG, seed=seed)
    suggestions = check_labels(data, taxonomy, config, progress)
    with output.open("w", encoding="utf-8", newline="") as target:
        write_suggestions(target, suggestions, taxonomy)
    return suggestions
