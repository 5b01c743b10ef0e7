"""The commands that classify without a worker serve what a worker with the same settings serves."""

import shutil
from pathlib import Path

import msgspec
import orjson
import pytest
from click.testing import CliRunner, Result

from models.registry.registry import Registry
from models.student.artifact import SHIPPED, Artifact, write_manifest
from models.taxonomy.tree import Taxonomy
from streams.cli import main

TITLE = "Large blue teapot, Kyusu"
"""A title that the student alone is unsure of."""
NAME = "SHELFSTREAM_"


def run(command: str, environment: dict[str, str], *options: str) -> Result:
    arguments = ["enrich", "-"] if command == "enrich" else ["explain", TITLE]
    line = orjson.dumps({"product_id": "1", "title": TITLE})
    return CliRunner().invoke(main, [*arguments, *options], input=line, env=environment)


def settings_line(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return next(line for line in result.stderr.splitlines() if line.startswith("model "))


@pytest.fixture(scope="module")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped student under another version, because its thresholds differ."""
    folder = tmp_path_factory.mktemp("other") / "model"
    shutil.copytree(SHIPPED, folder)
    manifest = Artifact.load(None, Taxonomy.google()).manifest
    manifest = msgspec.structs.replace(manifest, thresholds=[0.5, 0.6, 0.7])
    write_manifest(folder, manifest, [*manifest.files])
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    path = tmp_path / "acme.csv"
    path.write_text("id,path\n1,Kitchen\n2,Kitchen > Teapots\n3,Clothing\n", encoding="utf-8")
    return path


def version_of(folder: Path) -> str:
    return Artifact.load(folder, Taxonomy.google()).manifest.model_version


@pytest.mark.parametrize("command", ["enrich", "explain"])
def test_the_model_path_is_that_of_the_worker_and_an_option_wins(command: str, other_model: Path) -> None:
    environment = {f"{NAME}MODEL_PATH": str(other_model)}
    line = settings_line(run(command, environment))
    assert version_of(other_model) in line
    assert "thresholds 0.50, 0.60, 0.70" in line
    assert f"model_path {other_model} (SHELFSTREAM_MODEL_PATH)" in line
    chosen = settings_line(run(command, environment, "--model", str(SHIPPED)))
    assert version_of(SHIPPED) in chosen
    assert f"model_path {SHIPPED} (option)" in chosen


@pytest.mark.parametrize("command", ["enrich", "explain"])
def test_the_taxonomy_is_that_of_the_worker(command: str, tree: Path, tmp_path: Path) -> None:
    environment = {f"{NAME}TAXONOMY": str(tree), f"{NAME}DATA_DIR": str(tmp_path / "state")}
    result = run(command, environment)
    line = settings_line(result)
    assert line.startswith("model zero-shot-")
    assert f"taxonomy {Taxonomy.load(tree).version}" in line
    assert "Kitchen" in result.stdout


@pytest.mark.parametrize("command", ["enrich", "explain"])
def test_the_cascade_is_that_of_the_worker_and_an_option_wins(command: str) -> None:
    environment = {f"{NAME}CASCADE": "false"}
    alone, both = run(command, environment), run(command, environment, "--cascade")
    assert f"model {version_of(SHIPPED)}, " in settings_line(alone)
    assert "cascade False (SHELFSTREAM_CASCADE)" in settings_line(alone)
    assert f"model {version_of(SHIPPED)}+" in settings_line(both)
    assert "cascade True (option)" in settings_line(both)
    assert alone.stdout != both.stdout


def test_the_confidence_threshold_is_that_of_the_worker_and_an_option_wins() -> None:
    environment = {f"{NAME}CONFIDENCE_THRESHOLD": "1.0", f"{NAME}CASCADE": "false"}
    strict, lax = run("enrich", environment), run("enrich", environment, "--confidence-threshold", "0")
    assert "thresholds 1.00; " in settings_line(strict)
    assert orjson.loads(strict.stdout)["decision"]["outcome"] == "abstained"
    assert "thresholds 0.00; " in settings_line(lax)
    assert orjson.loads(lax.stdout)["decision"]["outcome"] == "model"
    explained = run("explain", environment)
    assert "below the threshold" in explained.stdout
    assert "below the threshold" not in run("explain", environment, "--confidence-threshold", "0").stdout


def test_the_deployed_model_of_the_registry_is_used(tmp_path: Path, other_model: Path) -> None:
    registry = Registry(tmp_path / "registry", Taxonomy.google())
    registry.promote(registry.add(other_model))
    environment = {f"{NAME}MODEL_REGISTRY": str(registry.folder), f"{NAME}CASCADE": "false"}
    assert version_of(other_model) in settings_line(run("explain", environment))
    assert version_of(SHIPPED) in settings_line(run("explain", environment, "--model", str(SHIPPED)))
    missing = run("explain", {f"{NAME}MODEL_REGISTRY": str(tmp_path / "nothing")})
    assert missing.exit_code == 2
    assert "There is no model registry" in missing.stderr


def test_settings_of_a_file_are_read(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("cascade = false\n")
    line = settings_line(run("explain", {}, "--config", str(file)))
    assert f"cascade False ({file})" in line


def test_wrong_settings_are_named() -> None:
    result = run("enrich", {f"{NAME}CONFIDENCE_THRESHOLD": "2"})
    assert result.exit_code == 2
    assert "SHELFSTREAM_CONFIDENCE_THRESHOLD" in result.stderr


def test_evaluate_uses_the_settings_of_the_worker(tmp_path: Path, other_model: Path, tree: Path) -> None:
    environment = {
        f"{NAME}CASCADE": "false",
        f"{NAME}MODEL_PATH": str(other_model),
        f"{NAME}CONFIDENCE_THRESHOLD": "0.25",
    }
    result = CliRunner().invoke(main, ["evaluate", "-o", str(tmp_path / "out")], env=environment)
    line = settings_line(result)
    assert line.startswith(f"model {version_of(other_model)}, ")
    assert "thresholds 0.25; " in line
    report = orjson.loads((tmp_path / "out" / "report.json").read_bytes())
    assert report["cascade"] is False
    refused = CliRunner().invoke(main, ["evaluate"], env={f"{NAME}TAXONOMY": str(tree)})
    assert refused.exit_code == 2
    assert "SHELFSTREAM_TAXONOMY, needs --data" in refused.stderr
