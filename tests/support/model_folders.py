"""Models for registries: tiny ones that only verify, and recalibrated copies of the shipped one."""

import shutil
from pathlib import Path

import msgspec

from models.student.artifact import FORMAT, Artifact, Manifest, Tensor, write_manifest
from models.taxonomy.tree import Taxonomy

TREE = Taxonomy("tiny-1", {1: ("Wear",), 2: ("Wear", "Shoes"), 3: ("Food",)}, {})
FILES = ("student.bin", "student.onnx", "brands.tsv")


def tiny_model(folder: Path, number: int, taxonomy: Taxonomy = TREE) -> str:
    """Write a model folder that verifies but cannot be loaded by a runtime.

    Returns:
        Version of the model.
    """
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
    """Write a copy of the shipped model with `factor` times its temperature, which has another version.

    Returns:
        `path`.
    """
    shipped = Artifact.load(None, Taxonomy.google())
    shutil.copytree(shipped.path, path)
    manifest = msgspec.structs.replace(shipped.manifest, temperature=shipped.manifest.temperature * factor)
    write_manifest(path, manifest, sorted(manifest.files))
    return path
