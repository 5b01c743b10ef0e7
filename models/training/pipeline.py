"""The way from the data folder to a shipped model: read, train, calibrate, measure, export, describe."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from models.attributes.brands import read_brands, write_brands
from models.encoder.by_language import Encoders
from models.student.artifact import FORMAT, SHIPPED, Artifact, Manifest, Measurement, write_manifest
from models.student.calibration import fit_temperature
from models.student.escalation import SecondStage
from models.taxonomy.tree import GOOGLE_VERSION, Taxonomy
from models.text.features import text_features
from models.training.attributes.brand_names import learn_brands
from models.training.data.corpus import SHOPS, Example, category_examples, shops_of
from models.training.data.examples import HumanLabels, gather, split_counts
from models.training.data.feedback_lines import SHOP as FEEDBACK
from models.training.private.training import PrivateTraining, private_section, train_private
from models.training.student.distillation import title_examples, whole_words, word_examples
from models.training.student.drift_snapshot import add_snapshot, calibration_listings
from models.training.student.evaluation import StudentPredictions, choose_thresholds, evaluate_groups
from models.training.student.export import export
from models.training.student.model_card import render_card
from models.training.student.trainer import Student, TrainingConfig, count_matrix, train
from models.training.student.unlabeled import product_words, unlabeled_titles
from schemas.errors import StopWorker

Progress = Callable[[str, int, int], None]
PUBLISHED_PRECISION = 0.98
MIN_THRESHOLDS = (0.93, 0.95, 0.99)
"""Floors of the thresholds: calibration texts are of known shops, and unknown ones deserve more doubt. Chosen
so that at least 95% of what the cascade publishes is right, on average over shops that it never saw."""


@dataclass(frozen=True)
class CalibratedStudent:
    """A student with the temperature and thresholds that held-out titles of its shops gave it."""

    student: Student
    temperature: float
    thresholds: list[float]


def fit(
    examples: Sequence[Example],
    auxiliary: Sequence[Example],
    taxonomy: Taxonomy,
    config: TrainingConfig,
    progress: Progress,
    name: str,
) -> CalibratedStudent:
    """Train on the `train` split and on `auxiliary`, which are no shop's; calibrate on `calibration`."""
    learning = [example for example in examples if example.split == "train"]
    student = train(
        [*learning, *auxiliary],
        taxonomy,
        config,
        lambda step, steps, loss: progress(f"{name}, loss {loss:.3f}", step, steps),
    )
    held_out = [example for example in examples if example.split == "calibration"]
    if not learning or not held_out:
        raise StopWorker(
            f"{name}: {len(learning)} labeled titles to learn from and {len(held_out)} to calibrate on; "
            "with less than some thirty in all, let the names and examples of the tree speak alone."
        )
    counts = count_matrix([text_features(example.text) for example in held_out], student.hashes)
    plain = StudentPredictions(student, held_out, taxonomy, 1.0)
    temperature = fit_temperature(student.logits(counts), plain.labels, taxonomy)
    predictions = StudentPredictions(student, held_out, taxonomy, temperature)
    return CalibratedStudent(
        student, temperature, choose_thresholds(predictions, PUBLISHED_PRECISION, MIN_THRESHOLDS)
    )


def fit_private(
    examples: Sequence[Example],
    auxiliary: Sequence[Example],
    taxonomy: Taxonomy,
    config: TrainingConfig,
    progress: Progress,
    private: PrivateTraining,
) -> CalibratedStudent:
    """As `fit`, with differential privacy; temperature and thresholds are constants."""
    student = train_private(examples, auxiliary, taxonomy, config, private, progress)
    return CalibratedStudent(student, 1.0, list(MIN_THRESHOLDS))


def leave_one_out(
    examples: Sequence[Example],
    auxiliary: Sequence[Example],
    taxonomy: Taxonomy,
    config: TrainingConfig,
    progress: Progress,
    second: SecondStage | None = None,
) -> list[Measurement]:
    """For each shop, a model that saw neither it nor people's words, measured on it if others are enough."""
    examples = [example for example in examples if example.shop != FEEDBACK]
    measurements = []
    for shop in dict.fromkeys(example.shop for example in examples):
        others = [example for example in examples if example.shop != shop]
        if not {"train", "calibration"} <= {example.split for example in others}:
            continue
        model = fit(others, auxiliary, taxonomy, config, progress, f"Without {shop}")
        unseen = [example for example in examples if example.shop == shop]
        found = measure(model, unseen, taxonomy, second)
        measurements += [_renamed(measurement) for measurement in found]
    return measurements


def measure(
    model: CalibratedStudent, examples: Sequence[Example], taxonomy: Taxonomy, second: SecondStage | None
) -> list[Measurement]:
    """The student alone, and with the second stage if there is one."""
    return [
        measurement
        for stage in ([None] if second is None else [None, second])
        for measurement in evaluate_groups(
            model.student, examples, taxonomy, model.temperature, model.thresholds, stage
        )
    ]


def run(
    data: Path,
    folder: Path,
    config: TrainingConfig,
    progress: Progress,
    *,
    unseen: bool,
    taxonomy: Taxonomy | None = None,
    teacher: Encoders | None = None,
    second: SecondStage | None = None,
    people: HumanLabels | None = None,
    private: PrivateTraining | None = None,
) -> Manifest:
    """Train, measure and write a model into `folder`.

    Args:
        data: The folder with `products/` and `mappings/`.
        folder: Where the model goes; made if missing.
        config: The settings of training.
        progress: Called with what is being done, the step and the number of steps.
        unseen: Whether to train once more per shop without it, to measure unseen shops.
        taxonomy: The tree that the mappings point into; Google's if not given.
        teacher: Whose knowledge of words, and of titles that nobody labeled, the student gets besides.
        second: With what it serves as a cascade, which then is measured too.
        people: What people add to the data.
        private: Train with differential privacy. Then nothing but that training and the measured figures
            depends on the shops' rows: unseen shops are not measured, brands not learnt, drift not snapshot.

    Raises:
        StopWorker: The data is not there, or too little; says which file.
    """
    taxonomy, people = taxonomy or Taxonomy.google(), people or HumanLabels()
    examples = gather(data, taxonomy, people, config.feedback_weight)
    auxiliary = category_examples(taxonomy, config.name_weight)
    taught = [] if teacher is None else teach(teacher, data, examples, config)
    auxiliary += taught
    if private is None:
        model = fit(examples, auxiliary, taxonomy, config, progress, "Training")
    else:
        model = fit_private(examples, auxiliary, taxonomy, config, progress, private)
    # Calibration titles may not choose where they are private.
    alone = (
        second is not None and private is None and student_is_better_alone(model, examples, taxonomy, second)
    )
    second = None if alone else second
    tested = [example for example in examples if example.split == "test"]
    measurements = measure(model, tested, taxonomy, second)
    if unseen and private is None:
        measurements += leave_one_out(examples, auxiliary, taxonomy, config, progress, second)
    brands, brand_precision = ({}, 0.0) if private is not None else _brands(data, taxonomy)
    folder.mkdir(parents=True, exist_ok=True)
    write_brands(folder / "brands.tsv", brands)
    manifest = msgspec.structs.replace(
        _draft(model, taxonomy, config, people),
        tensors=export(model.student, folder),
        brand_precision=round(brand_precision, 4),
        training_data=split_counts(examples),
        measurements=measurements,
        teacher=_told(taught),
        alone=alone or msgspec.UNSET,
    )
    if private is not None:
        return _finish_private(folder, manifest, config, private)
    manifest = _finish(folder, manifest, config)
    return add_snapshot(folder, calibration_listings(examples), taxonomy, second)


def teach(
    teacher: Encoders, data: Path, examples: Sequence[Example], config: TrainingConfig
) -> list[Example]:
    """What the encoders know: English words, Chinese words for products, and titles that nobody labeled."""
    taught: list[Example] = []
    if english := teacher.stages.get("en"):
        taught += word_examples(english, whole_words(english), config.word_weight)
    if chinese := teacher.stages.get("zh"):
        labeled = {example.text for example in examples if example.language == "zh"}
        taught += word_examples(chinese, product_words(data), config.word_weight)
        taught += title_examples(chinese, unlabeled_titles(data, labeled), config.unlabeled_weight)
    return taught


def _told(taught: Sequence[Example]) -> str:
    """What the card says of it."""
    counts = Counter(f"{example.kind}s ({example.language})" for example in taught)
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items())


def student_is_better_alone(
    model: CalibratedStudent, examples: Sequence[Example], taxonomy: Taxonomy, second: SecondStage
) -> bool:
    """Whether the calibration titles of another tree than Google's are told better by the student alone.

    The second stage's say was weighed on Google's tree, whose names mean something; those of others may not.
    """
    if taxonomy.version == GOOGLE_VERSION:
        return False
    held_out = [example for example in examples if example.split == "calibration"]

    def right(stage: SecondStage | None) -> float:
        predictions = StudentPredictions(model.student, held_out, taxonomy, model.temperature, stage)
        levels = range(1, min(2, taxonomy.lineage.shape[1]) + 1)
        return sum(float(predictions.at_level(level)[1].sum()) for level in levels)

    return right(None) > right(second)


def _draft(
    model: CalibratedStudent, taxonomy: Taxonomy, config: TrainingConfig, people: HumanLabels
) -> Manifest:
    """What the manifest says of the model itself; data and figures are to be filled in."""
    own = "" if taxonomy.version == GOOGLE_VERSION else " --taxonomy TREE"
    return Manifest(
        format=FORMAT,
        model_version="",
        taxonomy_version=taxonomy.version,
        labels=[node.id for node in taxonomy.nodes],
        inputs={"rows": "int32 [texts, longest]"},
        outputs={
            "logits": f"float32 [texts, {len(taxonomy)}]",
            "embedding": f"float32 [texts, {config.dimensions}]",
        },
        shrinkage=config.shrinkage,
        temperature=model.temperature,
        thresholds=model.thresholds,
        brand_precision=0.0,
        files={},
        tensors=[],
        training_data=[],
        measurements=[],
        command=f"shelfstream train{own} --data DATA -o OUTPUT --epochs {config.epochs} --seed {config.seed}"
        f"{people.options(config.feedback_weight)}",
    )


def _brands(data: Path, taxonomy: Taxonomy) -> tuple[dict[str, str], float]:
    """Brand names and their measured precision: of the data, or those that come with the project.

    These are of no tree, and the data of other shops than the project's own do not say enough of brands.
    """
    if {*SHOPS} <= {*shops_of(data, taxonomy)}:
        return learn_brands(data)
    shipped = Artifact.load(None, Taxonomy.google())
    return read_brands(SHIPPED / "brands.tsv"), shipped.manifest.brand_precision


def _finish(folder: Path, manifest: Manifest, config: TrainingConfig) -> Manifest:
    """Name the model by its content, and describe it."""
    manifest = write_manifest(folder, manifest, ["student.bin", "student.onnx", "brands.tsv"])
    (folder / "MODEL_CARD.md").write_text(render_card(manifest, config), encoding="utf-8")
    return manifest


def _finish_private(
    folder: Path, manifest: Manifest, config: TrainingConfig, private: PrivateTraining
) -> Manifest:
    """As `_finish`, with the guarantee in the command that is remembered and in the card."""
    command = f"{manifest.command} --private {private.privacy.epsilon:g}"
    manifest = _finish(folder, msgspec.structs.replace(manifest, command=command), config)
    with (folder / "MODEL_CARD.md").open("a", encoding="utf-8") as card:
        card.write(private_section(private.privacy))
    return manifest


def _renamed(measurement: Measurement) -> Measurement:
    return msgspec.structs.replace(measurement, name=f"unseen {measurement.name}")
