"""The hyperparameters of a training run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingConfig:
    """Hyperparameters of the student's training.

    Attributes:
        dimensions: Width of the embedding.
        epochs: Passes over the examples.
        batch: Examples per step. With few examples the batch is smaller, so that there are enough steps.
        rate: Adagrad's learning rate at the start. It falls linearly to a tenth.
        dropout: Share of the features dropped at each step, in [0, 1), so that the model does not rely on one
            shop's wording.
        shrinkage: Constant added to the number of features that the sum of vectors is divided by. It makes
            texts with few features less certain.
        output_rate: Learning rate of the output matrix, relative to the table's.
        spread: Standard deviation of the categories' initial vectors.
        name_weight: Weight of an example made of a category's name.
        word_weight: Weight of a word that the teacher labeled.
        unlabeled_weight: Weight of an unlabeled title that the teacher labeled.
        feedback_weight: Weight of an example made of human feedback.
        rows: Maximum number of rows of the table, including the empty row.
        rank: Maximum width of the support vectors that a student of an own taxonomy is joined with.
        target_precision: Precision of what is published; None is 98% for Google's taxonomy, and for another
            one the first of 95, 90, 85 and 80% that its calibration titles reach.
        seed: Seed of all random numbers.
    """

    dimensions: int = 64
    epochs: int = 5
    batch: int = 512
    rate: float = 0.25
    dropout: float = 0.4
    shrinkage: float = 8.0
    output_rate: float = 0.3
    spread: float = 1.0
    name_weight: float = 1.0
    word_weight: float = 1.0
    unlabeled_weight: float = 1.0
    feedback_weight: float = 5.0
    rows: int = 130_000
    rank: int = 512
    target_precision: float | None = None
    seed: int = 20261122

    @classmethod
    def with_options(
        cls,
        epochs: int | None = None,
        seed: int | None = None,
        feedback_weight: float | None = None,
        target_precision: float | None = None,
    ) -> "TrainingConfig":
        """The default config with the given values. None keeps the default."""
        default = cls()
        return cls(
            epochs=default.epochs if epochs is None else epochs,
            seed=default.seed if seed is None else seed,
            feedback_weight=default.feedback_weight if feedback_weight is None else feedback_weight,
            target_precision=target_precision,
        )
