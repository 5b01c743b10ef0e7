"""The TOML file that describes a pipeline."""

from pathlib import Path
from typing import Annotated, Any

import msgspec

from schemas.errors import StopWorker


class TrainOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `[train]`: options of `shelfstream train`, with the same defaults."""

    epochs: int | None = None
    seed: int | None = None
    unseen: bool = True
    teacher: bool = True
    encoders: Path | None = None
    feedback: Path | None = None
    feedback_weight: float | None = None
    corrections: Path | None = None
    target_precision: Annotated[float, msgspec.Meta(gt=0.5, lt=1.0)] | None = None


class GateOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `[gate]`: options of `shelfstream gate`.

    Attributes:
        registry: Registry that a model is added to if it passes the gate; None to add it to none.
        promote: Whether a model that passes the gate serves from now on.
        serving: Folder of the model to compare with; None for the one that serves in the registry, or else
            the shipped model.
        tolerance: Tolerated loss on a slice, in [0, 1]; None for the gate's default.
    """

    registry: Path | None = None
    promote: bool = False
    serving: Path | None = None
    tolerance: float | None = None


class PipelineConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pipeline.

    Attributes:
        data: Folder with `products/` and `mappings/`.
        work: Folder for the results: `suggestions.tsv`, `model/`, `evaluation/`, `ruling.json`.
        taxonomy: File of your own category tree; None for Google's.
        train: Options of the training.
        gate: Options of the gate.
    """

    data: Path
    work: Path
    taxonomy: Path | None = None
    train: TrainOptions = TrainOptions()
    gate: GateOptions = GateOptions()


def read_pipeline(path: Path) -> PipelineConfig:
    """Read a pipeline from a TOML file.

    Raises:
        StopWorker: The file cannot be read, or has an invalid or unknown value. The message names it.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=PipelineConfig, dec_hook=_to_path)
    except OSError as error:
        raise StopWorker(f"Cannot read the pipeline {path}: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise StopWorker(f"{path} is not a pipeline: {error}.") from error


def _to_path(kind: type, value: Any) -> Any:
    """Decode a path from a string that is not empty."""
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    raise msgspec.ValidationError("Expected a path")
