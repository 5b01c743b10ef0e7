"""The cascade on a device as a `Classifier`: features and tokens are uploaded, decisions downloaded."""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import torch

from models.arrays import Floats
from models.device.cascade.host_batches import BatchBuilder, HostBatch
from models.device.cascade.program import DeviceCascade, DeviceStage
from models.device.cascade.results import read_results
from models.device.cascade.runner import IN_FLIGHT, DirectRunner, GraphRunner, Runner, Ticket
from models.device.encoder.cuda import ran_out_of_memory
from models.device.encoder.packing import Ints
from models.device.encoder.torch_encoder import TorchEncoder
from models.device.encoder.weights import read_weights
from models.encoder.artifact import GRAPH, SHIPPED_ENCODERS
from models.encoder.by_language import Encoders
from models.student.artifact import Artifact
from models.student.classifier import CANDIDATES, Classification
from models.taxonomy.tree import Taxonomy
from models.text.languages import Language
from schemas.errors import RetryLater

_PROBABILITY_ROWS = 64
"""Texts whose probabilities are computed at once."""


def device_stages(
    encoders: Encoders | None, folder: Path | None, taxonomy: Taxonomy, device: str
) -> dict[Language, DeviceStage]:
    """Load the encoders of the second stage on a device, from their int8 graphs.

    Args:
        encoders: The encoders with the tree's prototypes; None without a second stage.
        folder: Directory of the encoders; None is the shipped directory.
        taxonomy: The category tree.
        device: `cuda` or `cpu`.

    Raises:
        StopWorker: The weights of a graph cannot be read.
    """
    root = SHIPPED_ENCODERS if folder is None else folder
    return {
        language: DeviceStage.create(
            TorchEncoder(read_weights(root / language / GRAPH), device),
            stage.prototypes,
            len(taxonomy),
            stage.scale,
            device,
        )
        for language, stage in (encoders.stages.items() if encoders is not None else ())
    }


class DeviceClassifier:
    """A student with its second stage on a device. Thread-safe: batches run one after the other.

    Args:
        artifact: The verified model directory.
        taxonomy: The artifact's category tree.
        encoders: The second stage; None for the student alone.
        threshold: As `StudentClassifier`'s.
        folder: Directory of the encoders; None is the shipped directory.
        device: `cuda`, or `cpu` to run the same program in plain torch.
        encode_all: As `BatchBuilder`'s; for benchmarks.

    Attributes:
        model_version: As `Classifier.model_version`.
        dimensions: As `Classifier.dimensions`.
        reads_descriptions: As `Classifier.reads_descriptions`.
        thresholds: As `Classifier.thresholds`.
        program: The program on the device.
        builder: Builds the micro-batches. Its `max_texts` falls when the device runs out of memory.
        runner: Runs the program.
    """

    def __init__(
        self,
        artifact: Artifact,
        taxonomy: Taxonomy,
        encoders: Encoders | None = None,
        threshold: float | None = None,
        folder: Path | None = None,
        device: str = "cuda",
        encode_all: bool = False,
    ) -> None:
        manifest = artifact.manifest
        self.model_version = manifest.model_version + ("" if encoders is None else f"+{encoders.version}")
        self.reads_descriptions = encoders is not None
        self._taxonomy = taxonomy
        self.thresholds = tuple(manifest.thresholds) if threshold is None else (threshold,)
        stages = device_stages(encoders, folder, taxonomy, device)
        candidates = min(CANDIDATES, len(taxonomy))
        self.program = DeviceCascade(artifact, stages, taxonomy, self.thresholds, candidates, device)
        self.dimensions = self.program.dimensions
        found = encoders.stages if encoders is not None else {}
        tokenizers = {language: stage.tokenizer for language, stage in found.items()}
        self.builder = BatchBuilder(artifact, tokenizers, encode_all=encode_all)
        run = self.program.run
        self.runner: Runner = GraphRunner(run) if device == "cuda" else DirectRunner(run, device)
        self._lock = Lock()

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """As `Classifier.classify`.

        Raises:
            RetryLater: The device has no memory for a single text.
        """
        found: list[Classification | None] = [None] * len(texts)
        for members, results in self._results(texts):
            classifications = read_results(results, self.program.candidates, self.dimensions)
            for text, classification in zip(members, classifications, strict=True):
                found[text] = classification
        return [classification for classification in found if classification is not None]

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """As `Classifier.probabilities`."""
        found = np.zeros((len(texts), len(self._taxonomy)), dtype=np.float32)
        for start in range(0, len(texts), _PROBABILITY_ROWS):
            for batch in self.builder.batches(texts[start : start + _PROBABILITY_ROWS]):
                buffer = torch.from_numpy(batch.buffer).to(self.program.device)
                with self._lock, torch.inference_mode():
                    rows, _, known, _ = self.program.probabilities(buffer, batch.shape, batch.language)
                    rows = torch.where(known[:, None], rows, 0.0)[: len(batch.members)]
                    found[[start + text for text in batch.members]] = rows.cpu().numpy()
        return found

    def _results(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Ints]]:
        """Yield texts' indices with their results. If memory runs out, the rest runs in smaller batches."""
        left = [*range(len(texts))]
        while left:
            done: set[int] = set()
            try:
                for batch, results in self._run([texts[number] for number in left]):
                    done.update(batch.members)
                    yield [left[member] for member in batch.members], results
            except Exception as error:
                if not ran_out_of_memory(error):
                    raise
                if self.builder.max_texts == 1:
                    raise RetryLater(f"the device has no memory for one text: {error}") from error
                self.runner.release_memory()
                self.builder.max_texts = max(1, min(self.builder.max_texts, len(left)) // 2)
            left = [number for place, number in enumerate(left) if place not in done]

    def _run(self, texts: Sequence[str]) -> Iterator[tuple[HostBatch, Ints]]:
        in_flight: deque[tuple[HostBatch, Ticket]] = deque()
        with self._lock:
            for batch in self.builder.batches(texts):
                if len(in_flight) == IN_FLIGHT:
                    yield self._collect(*in_flight.popleft())
                in_flight.append((batch, self.runner.submit(batch.buffer, batch.shape, batch.language)))
            while in_flight:
                yield self._collect(*in_flight.popleft())

    def _collect(self, batch: HostBatch, ticket: Ticket) -> tuple[HostBatch, Ints]:
        return batch, self.runner.collect(ticket)[: len(batch.members)].copy()
