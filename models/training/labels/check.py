"""Suggestions for the labels of all shops: contradictions first, then likely errors, the surest first."""

from collections.abc import Callable
from pathlib import Path

from models.taxonomy.tree import Taxonomy
from models.training.data.corpus import labeled_rows, read_shops, shops_of
from models.training.data.corrections import Suggestion
from models.training.labels.conflicts import label_conflicts
from models.training.labels.errors import label_errors
from models.training.student.trainer import TrainingConfig


def check_labels(
    data: Path, taxonomy: Taxonomy, config: TrainingConfig, progress: Callable[[str, int, int], None]
) -> list[Suggestion]:
    """At most one suggestion for each shop and title.

    Args:
        data: The folder with `products/` and `mappings/`.
        taxonomy: The tree that the mappings point into.
        config: How the students that judge are trained.
        progress: Called with what is being done, the step and the number of steps.

    Raises:
        StopWorker: The data is not there; says which file.
    """
    shops = shops_of(data, taxonomy)
    rows = ((shop, title, label) for shop in shops for title, label, _ in labeled_rows(data, shop, taxonomy))
    conflicts = label_conflicts(rows, taxonomy)
    told = {(each.shop, each.title) for each in conflicts}
    titles = [each for each in read_shops(data, taxonomy, shops) if each.kind == "title"]
    errors = label_errors(titles, taxonomy, config, progress=progress)
    return [*conflicts, *(each for each in errors if (each.shop, each.title) not in told)]
