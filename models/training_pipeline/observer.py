"""What a pipeline reports while it runs."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from models.training.progress import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    # These modules need the extra `train`; an observer can be defined without it.
    from models.evaluation.run import EvaluationResult
    from models.student.artifact import Manifest
    from models.taxonomy.tree import Taxonomy
    from models.training.data.corrections import Suggestion
    from models.training.data.feedback_lines import Conflict
    from models.training.promotion.run import GateOutcome


class PipelineObserver:
    """Receives the progress and the results of a pipeline. Every method does nothing by default."""

    def progress(self, step: str) -> AbstractContextManager[ProgressCallback]:
        """A context that provides the progress callback of a step."""
        return nullcontext(ignore_progress)

    def step_started(self, number: int, step: str) -> None:
        """A step begins. `number` is from 1."""

    def step_skipped(self, number: int, step: str) -> None:
        """A step was completed before and is not repeated."""

    def labels_checked(self, suggestions: "list[Suggestion]", path: Path) -> None:
        """The suggested label corrections were written to `path`."""

    def conflicts_found(self, conflicts: "list[Conflict]", taxonomy: "Taxonomy") -> None:
        """The feedback was checked for contradictions, before the training."""

    def trained(self, manifest: "Manifest", folder: Path) -> None:
        """The model was written to `folder`."""

    def evaluated(self, result: "EvaluationResult", folder: Path) -> None:
        """The report was written to `folder`."""

    def nothing_serves(self) -> None:
        """No model serves for this taxonomy, so the gate has nothing to compare with."""

    def decided(self, outcome: "GateOutcome") -> None:
        """The gate decided."""

    def registered(self, version: str, registry: Path, *, promoted: bool) -> None:
        """The model was added to the registry, and serves if `promoted`."""
