"""The schema of `report.json`. Fields may be added; they are never renamed or redefined."""

import msgspec

from models.student.artifact import Measurement

FORMAT = 1
UNSEEN = "unseen "
"""Prefix of the names of measurements on shops that were left out in training."""


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics of the most probable category of a level.

    Attributes:
        level: Level from 1.
        texts: Number of texts whose label is at least as deep.
        accuracy: Accuracy in [0, 1].
        low: Lower bound of the accuracy's 95% confidence interval.
        high: Upper bound of the accuracy's 95% confidence interval.
        macro_f1: Mean F1 of the categories that occur among the labels.
        categories: Number of those categories.
    """

    level: int
    texts: int
    accuracy: float
    low: float
    high: float
    macro_f1: float
    categories: int


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """The metrics of one group of titles.

    Attributes:
        name: Name of the group.
        texts: Number of titles.
        levels: Metrics of levels 1 to 3.
        calibration_error: Expected calibration error of level 1, 15 bins; None for a baseline, which has no
            confidences.
        coverage: Share of titles that are published without a person; None for a baseline.
        precision: Precision of the published categories at their depth; None if none is published.
    """

    name: str
    texts: int
    levels: list[Level]
    calibration_error: float | None = None
    coverage: float | None = None
    precision: float | None = None


def unseen_name(measurement: Measurement) -> str:
    """The displayed name of a measurement on an unseen shop: the shop and the evaluated model."""
    model = "with the text encoder" if measurement.cascade else "student alone"
    return f"{measurement.name.removeprefix(UNSEEN)}, {model}"


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A table of groups.

    Attributes:
        title: Heading of the table.
        note: Explanation of the table; may be empty.
        rows: Metrics of each group.
    """

    title: str
    note: str
    rows: list[Scores]


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """One bin of the reliability diagram of level 1.

    Attributes:
        texts: Number of texts.
        confidence: Mean confidence.
        accuracy: Accuracy in [0, 1].
    """

    texts: int
    confidence: float
    accuracy: float


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Coverage and precision of a level as the threshold decreases.

    Attributes:
        level: Level from 1.
        points: Pairs of coverage and precision, by ascending coverage.
    """

    level: int
    points: list[tuple[float, float]]


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """A category that is predicted as one of its siblings.

    Attributes:
        level: Level of both categories.
        label: Path of the correct category.
        taken_for: Name of the predicted sibling.
        texts: Number of titles with this error.
        of: Number of titles that belong to the correct category.
    """

    level: int
    label: str
    taken_for: str
    texts: int
    of: int


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """A wrong decision.

    Attributes:
        title: Title.
        label: Path of the correct category.
        decided: Path of the category that the model chose.
        confidence: Confidence of the decision.
        published: Whether it is published without a person.
        reasons: Explanation of the student's prediction, one line per level.
    """

    title: str
    label: str
    decided: str
    confidence: float
    published: bool
    reasons: list[str]


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """Detailed results for one source of titles.

    Attributes:
        source: Name of the source.
        scores: Metrics of all its titles.
        reliability: Reliability diagram of level 1.
        curves: Coverage and precision, one curve per level.
        confusions: Most frequent confusions of siblings.
        mistakes: Wrong decisions with the highest confidence.
    """

    source: str
    scores: Scores
    reliability: list[Bin]
    curves: list[Curve]
    confusions: list[Confusion]
    mistakes: list[Mistake]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The evaluation report of a model.

    Attributes:
        format: Version of this schema.
        model_version: Version of the model, including the encoders' if they took part.
        taxonomy_version: Version of the category tree.
        cascade: Whether the text encoders took part.
        groups: Metrics by shop, kind of text and language.
        languages: Metrics by source and language.
        details: Detailed results by source.
        slices: Metrics of slices of the titles.
        sellers: Metrics by size of the brand; None if the data names no brands.
        unseen: Measurements on shops that were left out in training, from the model's manifest.
        baselines: Metrics of the baselines on the same titles; empty if they were not requested.
        notes: What was not evaluated, and why.
    """

    format: int
    model_version: str
    taxonomy_version: str
    cascade: bool
    groups: Section
    languages: Section
    details: list[Detail]
    slices: list[Section]
    sellers: Section | None
    unseen: list[Measurement]
    baselines: list[Section]
    notes: list[str]
