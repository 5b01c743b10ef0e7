"""The file that says how a model is made, and which of its steps are done."""

import hashlib
import json
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import msgspec

from models.files.atomic_writes import write_atomically
from models.files.digests import sha256
from schemas.errors import StopWorker
from streams.settings_sources import to_path

STEPS = ("labels", "train", "evaluate", "gate")
_RECORD = "pipeline.json"


class TrainPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As the options of `shelfstream train`; what is left out is as there."""

    epochs: int | None = None
    seed: int | None = None
    unseen: bool = True
    teacher: bool = True
    encoders: Path | None = None
    feedback: Path | None = None
    feedback_weight: float | None = None
    corrections: Path | None = None


class GatePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As the options of `shelfstream gate`.

    Attributes:
        registry: Where the model goes if it may serve; None: nowhere.
        promote: Whether it then serves.
        serving: The folder of what to compare with; None: what serves in the registry, or the shipped model.
        tolerance: How much worse a slice may be.
    """

    registry: Path | None = None
    promote: bool = False
    serving: Path | None = None
    tolerance: float | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pipeline.

    Attributes:
        data: The folder with `products/` and `mappings/`.
        work: Where everything goes: suggestions.tsv, model/, evaluation/, ruling.json.
        taxonomy: The file of your own category tree; None: Google's.
        train: How to train.
        gate: What the model must be better than.
    """

    data: Path
    work: Path
    taxonomy: Path | None = None
    train: TrainPlan = TrainPlan()
    gate: GatePlan = GatePlan()


def read_plan(path: Path) -> Plan:
    """Read a TOML file.

    Raises:
        StopWorker: It cannot be read or says something unknown; says what and where.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Plan, dec_hook=to_path)
    except OSError as error:
        raise StopWorker(f"Cannot read the pipeline {path}: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise StopWorker(f"{path} is not a pipeline: {error}.") from error


class Record:
    """Which steps are done, and with what: a step is done again when anything that it rests on is another.

    Args:
        plan: The pipeline.

    Raises:
        StopWorker: A file that the pipeline names cannot be read.
    """

    def __init__(self, plan: Plan) -> None:
        self._path = plan.work / _RECORD
        self._digests = _digests(plan)
        self._done: dict[str, str] = {}
        with suppress(OSError, ValueError):
            self._done = dict(json.loads(self._path.read_text(encoding="utf-8")))

    def has(self, step: str) -> bool:
        """Whether a step is done, with just what the plan now says."""
        return self._done.get(step) == self._digests[step]

    def add(self, step: str) -> None:
        """Remember that a step is done."""
        self._done[step] = self._digests[step]
        write_atomically(self._path, json.dumps(self._done, indent=1).encode() + b"\n")


def _digests(plan: Plan) -> dict[str, str]:
    """By step, what names all that it rests on; each rests on the steps before it."""
    given = [plan.taxonomy, plan.train.feedback, plan.train.corrections]
    folders = [folder for folder in (plan.data, plan.train.encoders) if folder is not None]
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    try:
        named = [(path.name, sha256(path.read_bytes())) for path in (*files, *filter(None, given))]
    except OSError as error:
        raise StopWorker(
            f"Cannot read {error.filename}, which the pipeline names: {error.strerror}."
        ) from error
    said = {"labels": (), "train": plan.train, "evaluate": (), "gate": plan.gate}
    digest, digests = hashlib.sha256(f"{version('shelfstream')} {named}".encode()), {}
    for step in STEPS:
        digest.update(f"{step} {said[step]}".encode())
        digests[step] = digest.hexdigest()[:16]
    return digests
