"""The record of a pipeline's completed steps, so that a step is not repeated without need."""

import hashlib
from contextlib import suppress
from importlib.metadata import version

import orjson

from models.files.atomic_writes import write_atomically
from models.files.digests import sha256
from models.training_pipeline.config import PipelineConfig
from schemas.errors import StopWorker

STEPS = ("labels", "train", "evaluate", "gate")
_FILE = "pipeline.json"


class CompletedSteps:
    """The completed steps of a pipeline. A step counts only while everything that it depends on is unchanged.

    Args:
        config: The pipeline.

    Raises:
        StopWorker: A file that the pipeline names cannot be read.
    """

    def __init__(self, config: PipelineConfig) -> None:
        self._path = config.work / _FILE
        self._digests = _digests(config)
        self._completed: dict[str, str] = {}
        with suppress(OSError, ValueError):
            self._completed = dict(orjson.loads(self._path.read_bytes()))

    def has(self, step: str) -> bool:
        """Whether a step was completed with the same data, options and version."""
        return self._completed.get(step) == self._digests[step]

    def add(self, step: str) -> None:
        """Record that a step is completed.

        Raises:
            OSError: The record cannot be written.
        """
        self._completed[step] = self._digests[step]
        write_atomically(self._path, orjson.dumps(self._completed, option=orjson.OPT_INDENT_2) + b"\n")


def _digests(config: PipelineConfig) -> dict[str, str]:
    """By step, a digest of everything that it depends on, including the steps before it."""
    named_files = [config.taxonomy, config.train.feedback, config.train.corrections]
    folders = [folder for folder in (config.data, config.train.encoders) if folder is not None]
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    try:
        contents = [(path.name, sha256(path.read_bytes())) for path in (*files, *filter(None, named_files))]
    except OSError as error:
        raise StopWorker(
            f"Cannot read {error.filename}, which the pipeline names: {error.strerror}."
        ) from error
    options = {"labels": (), "train": config.train, "evaluate": (), "gate": config.gate}
    digest, digests = hashlib.sha256(f"{version('shelfstream')} {contents}".encode()), {}
    for step in STEPS:
        digest.update(f"{step} {options[step]}".encode())
        digests[step] = digest.hexdigest()[:16]
    return digests
