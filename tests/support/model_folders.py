"""Models to put into registries: tiny ones that only prove what they are, and ones that judge otherwise."""

import shutil
from pathlib import Path

import msgspec

from models.student.artifact import FORMAT, Artifact, Manifest, Tensor, write_manifest
from models.taxonomy.tree import Taxonomy

TREE = Taxonomy("tiny-1", {1: ("Wear",), 2: ("Wear", "Shoes"), 3: ("Food",)}, {})
FILES = ("student.bin", "student.onnx", "brands.tsv")


def tiny_model(folder: Path, number: int, taxonomy: Taxonomy = TREE) -> str:
    """Write a model that verifies and that no runtime would take; returns its version."""
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_text(f"{name} of model {number}\n" + " " * 4 * len(taxonomy))
    manifest = Manifest(
        format=FORMAT,
        model_version="",
        taxonomy_version=taxonomy.version,
        labels=[node.id for node in taxonomy.nodes],
        inputs={},
        outputs={},
        shrinkage=1.0,
        temperature=1.0,
        thresholds=[0.9],
        brand_precision=0.9,
        files={},
        tensors=[
            Tensor(name=name, dtype="int8", shape=shape, offset=0)
            for name, shape in (
                ("table", [2, 1]),
                ("scales", [2]),
                ("weights", [1, len(taxonomy)]),
                ("bias", [len(taxonomy)]),
                ("hashes", [1]),
                ("familiar", [0]),
            )
        ],
        training_data=[],
        measurements=[],
        command="",
    )
    return write_manifest(folder, manifest, [*FILES]).model_version


def recalibrated(path: Path, factor: float = 1.1) -> Path:
    """A model of another version: the shipped one with `factor` times its temperature."""
    shipped = Artifact.load(None, Taxonomy.google())
    shutil.copytree(shipped.path, path)
    manifest = msgspec.structs.replace(shipped.manifest, temperature=shipped.manifest.temperature * factor)
    write_manifest(path, manifest, sorted(manifest.files))
    return path
