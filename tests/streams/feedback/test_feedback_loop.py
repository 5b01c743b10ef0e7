"""The feedback loop in small: export from Kafka, training, gate, promotion, serving."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from models.enrichment.enricher import Enricher
from models.registry.registry import Registry
from models.student.artifact import Artifact
from models.taxonomy.tree import Taxonomy
from models.training.data.corpus import split_of
from models.training.data.examples import HumanLabels
from models.training.run.training_run import TrainingSettings, train_model
from models.training.student.config import TrainingConfig
from streams.cli import main
from streams.embedded import EmbeddedBroker
from streams.inference.predictor import Predictor
from streams.inference.thread import InferenceThread
from streams.settings import Settings
from tests.support.feedback_stream import FeedbackStream
from tests.support.tiny_shops import write_shops

IDS = {"Shoes": 187, "Shirts": 212, "Milk": 418, "Tea": 2073}
# Part of Google's tree, as training for all 5,595 categories takes minutes.
TREE = """166 - Wear
187 - Wear > Shoes
212 - Wear > Shirts
413 - Drinks
418 - Drinks > Milk
2073 - Drinks > Tea
"""
CONFIG = TrainingConfig(dimensions=8, epochs=8, batch=32)


@pytest.fixture(scope="module")
def inference() -> Iterator[InferenceThread]:
    """The shipped model."""
    thread = InferenceThread(Predictor(Enricher.load()))
    yield thread
    thread.close()


def zorbs() -> Iterator[str]:
    """Yield titles that no model knows: 20 to train on, 2 to calibrate on, 6 to test on."""
    for split, count in (("train", 20), ("calibration", 2), ("test", 6)):
        titles = (f"zorb {chr(97 + i // 26)}{chr(97 + i % 26)}q" for i in range(676))
        yield from islice((title for title in titles if split_of(title) == split), count)


def gate(data: Path, candidate: Path, *options: str) -> Result:
    arguments = ["gate", "--data", str(data), "--candidate", str(candidate), *options]
    return CliRunner().invoke(main, [*arguments, "--taxonomy", str(data / "tree.txt"), "--no-cascade"])


def trained(data: Path, folder: Path, human_labels: HumanLabels) -> Path:
    tree = Taxonomy.load(data / "tree.txt")
    train_model(data, folder, TrainingSettings(config=CONFIG, human_labels=human_labels, taxonomy=tree))
    return folder


async def test_feedback_is_trained_on_promoted_and_served(
    embedded: EmbeddedBroker, inference: InferenceThread, tmp_path: Path
) -> None:
    write_shops(tmp_path, IDS)
    file = tmp_path / "tree.txt"
    file.write_text(TREE, encoding="utf-8")
    tree = Taxonomy.load(file)
    stream = FeedbackStream(Settings(bootstrap_servers=embedded.bootstrap, embedded=True), inference)
    for number, title in enumerate(zorbs()):
        await stream.send_listing(f"p{number}", title)
        await stream.send_feedback(f"p{number}", IDS["Tea"], "Ann")
    lines = tmp_path / "feedback.jsonl"
    exported = CliRunner().invoke(
        main,
        ["feedback", "export", "-o", str(lines), "--bootstrap-servers", embedded.bootstrap],
        env={"SHELFSTREAM_TAXONOMY": str(file)},
    )
    assert exported.exit_code == 0, exported.output

    before = trained(tmp_path, tmp_path / "before", HumanLabels())
    after = trained(tmp_path, tmp_path / "after", HumanLabels(lines))
    registry, decision = tmp_path / "registry", tmp_path / "decision.json"
    common = ("--feedback", str(lines), "--serving", str(before))
    version = Artifact.load(after, tree).manifest.model_version

    passed = gate(tmp_path, after, *common, "--json", str(decision))
    assert passed.exit_code == 0, passed.output
    assert f"SHELFSTREAM_MODEL_PATH={after}" in passed.stdout
    report = orjson.loads(decision.read_bytes())
    assert (report["promote"], report["reasons"]) == (True, [])
    (people,) = [each for each in report["comparisons"] if each["slice"] == "feedback"][:1]
    assert (people["texts"], people["candidate"]) == (6, 1.0)
    assert people["serving"] < 0.5

    promoted = gate(tmp_path, after, *common, "--registry", str(registry), "--promote")
    assert promoted.exit_code == 0, promoted.output
    assert Registry(registry, tree).deployment().serving == version

    # From here on the registry names the serving model: the same model is no better, the old one is worse.
    for candidate, why in ((after, "not shown to be better"), (before, "right on feedback: worse")):
        held = gate(tmp_path, candidate, "--feedback", str(lines), "--registry", str(registry), "--promote")
        assert held.exit_code == 3, held.output
        assert why in held.stdout
    assert Registry(registry, tree).deployment().serving == version


def test_the_gate_needs_a_registry_for_promotion_and_a_model(tmp_path: Path) -> None:
    write_shops(tmp_path, IDS)
    (tmp_path / "tree.txt").write_text(TREE, encoding="utf-8")
    assert gate(tmp_path, tmp_path, "--promote").exit_code == 2
    missing = gate(tmp_path, tmp_path)
    assert (missing.exit_code, "manifest.json" in missing.stderr) == (1, True)
