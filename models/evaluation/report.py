"""The report as data: what `report.json` holds. Fields are added, never renamed or given another meaning."""

import msgspec

from models.student.artifact import Measurement

FORMAT = 1
UNSEEN = "unseen "
"""How the names of such measurements begin."""


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """How good the likeliest category of a level is.

    Attributes:
        level: From 1.
        texts: Those whose label goes down to it.
        accuracy: The share right, from 0 to 1.
        low: The lower end of its 95% confidence interval.
        high: The upper end.
        macro_f1: The mean F1 of the categories that occur among the labels.
        categories: How many these are.
    """

    level: int
    texts: int
    accuracy: float
    low: float
    high: float
    macro_f1: float
    categories: int


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """The measures of one group of titles.

    Attributes:
        name: Which group.
        texts: How many.
        levels: Levels 1 to 3.
        calibration_error: ECE of level 1, 15 bins; None for a baseline, which has no confidences.
        coverage: The share that the model decided alone; None for a baseline.
        precision: The share right of those, at the depth that it chose; None where it decided none.
    """

    name: str
    texts: int
    levels: list[Level]
    calibration_error: float | None = None
    coverage: float | None = None
    precision: float | None = None


def unseen_name(measurement: Measurement) -> str:
    """What to call a measurement of a shop that was left out in training: the shop, and what judged it."""
    judge = "with the text encoder" if measurement.cascade else "student alone"
    return f"{measurement.name.removeprefix(UNSEEN)}, {judge}"


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A table of groups, with what one must know to read it."""

    title: str
    note: str
    rows: list[Scores]


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """One bar of the reliability diagram of level 1: texts, mean confidence, share right."""

    texts: int
    confidence: float
    accuracy: float


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Coverage and precision of a level as the threshold falls: pairs, by growing coverage."""

    level: int
    points: list[tuple[float, float]]


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """A category taken for its sibling.

    Attributes:
        level: Of both.
        label: The right category's path.
        taken_for: The sibling's name.
        texts: How often.
        of: How many titles belong to the right category.
    """

    level: int
    label: str
    taken_for: str
    texts: int
    of: int


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """A wrong decision.

    Attributes:
        title: The text.
        label: The right category's path.
        decided: The category that the model gave.
        confidence: How sure it was.
        published: Whether it decided alone, or left it to people.
        reasons: Level by level what the student's decision rests on.
    """

    title: str
    label: str
    decided: str
    confidence: float
    published: bool
    reasons: list[str]


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """A closer look at one source of titles."""

    source: str
    scores: Scores
    reliability: list[Bin]
    curves: list[Curve]
    confusions: list[Confusion]
    mistakes: list[Mistake]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that was measured of a model.

    Attributes:
        format: The form of this report.
        model_version: The model's, the encoder's included where it took part.
        taxonomy_version: The category tree.
        cascade: Whether the text encoder took part.
        groups: By shop, kind of text and language.
        languages: By source and language.
        details: By source.
        slices: Titles of special kinds.
        sellers: Small brands beside large ones; empty where the data cannot say.
        unseen: What the model's own manifest says of shops that were left out in training.
        baselines: Other ways, on the same titles; empty where they were not asked for.
        notes: What was not measured, and why.
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
