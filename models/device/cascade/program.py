"""The whole classifier as one program of torch: student, encoder, prototypes, joint probabilities, decision.

It computes what `StudentClassifier` computes on a processor, for a micro-batch that is already on the device.
All shapes are fixed, so that a CUDA graph can hold the program.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from models.device.cascade.layout import (
    DESCRIBED,
    ENCODED,
    ESCALATED,
    KNOWN,
    SURE,
    UNSEEN,
    BatchShape,
    Upload,
    split_upload,
)
from models.device.encoder.torch_encoder import TorchEncoder, kernels_for
from models.encoder.artifact import Scale
from models.encoder.prototypes import Prototypes
from models.student.artifact import Artifact
from models.student.escalation import CONFIDENT
from models.taxonomy.tree import Taxonomy
from models.text.languages import Language

_LEAST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class DeviceStage:
    """An encoder on the device with the prototypes of a tree.

    Attributes:
        encoder: Encodes packed texts.
        prototypes: The categories' prototypes, shape [dimensions, prototypes].
        starts: The index of each category's first prototype, shape [categories + 1].
        scale: How cosines become probabilities.
    """

    encoder: TorchEncoder
    prototypes: Any
    starts: Any
    scale: Scale

    @classmethod
    def create(
        cls, encoder: TorchEncoder, prototypes: Prototypes, categories: int, scale: Scale, device: str
    ) -> "DeviceStage":
        """Move prototypes to the device.

        Args:
            encoder: An encoder on the device.
            prototypes: The prototypes in its space.
            categories: The number of the tree's categories.
            scale: How cosines become probabilities.
            device: `cuda` or `cpu`.
        """
        starts = np.searchsorted(prototypes.categories, np.arange(categories + 1)).astype(np.int32)
        vectors = torch.from_numpy(np.ascontiguousarray(prototypes.vectors.T)).to(device)
        return cls(encoder, vectors, torch.from_numpy(starts).to(device), scale)

    def scores(self, tiles: Any, starts: Any) -> Any:
        """The cosine of each text with each category's nearest prototype, shape [texts, categories]."""
        vectors = self.encoder.vectors(tiles, starts)
        return self.encoder.kernels.nearest(vectors @ self.prototypes, self.starts)


class _Student:
    """The student's arrays on the device."""

    def __init__(self, artifact: Artifact, device: str) -> None:
        self._kernels = kernels_for(device)

        def put(array: Any) -> Any:
            return torch.from_numpy(np.array(array, dtype=np.float32)).to(device)

        self._table = put(artifact.tensor("table").astype(np.float32) * artifact.tensor("scales")[:, None])
        self._weights, self._bias = put(artifact.tensor("weights")), put(artifact.tensor("bias"))
        self._shrinkage, self._temperature = artifact.manifest.shrinkage, artifact.manifest.temperature
        self.dimensions = self._table.shape[1]

    def run(self, upload: Upload) -> tuple[Any, Any, Any]:
        """The probabilities, the int8 embeddings, and whether each title has known features."""
        sums = self._kernels.bag(upload.rows, upload.offsets, self._table)
        count = upload.offsets.diff()[:, None]
        hidden = sums / (count + self._shrinkage)
        logits = torch.addmm(self._bias, hidden, self._weights)
        probabilities = torch.softmax(logits / self._temperature, dim=1)
        norm = hidden.square().sum(dim=1, keepdim=True).sqrt().clamp(min=1e-6)
        embeddings = (hidden / norm * 127.0).round().to(torch.int8)
        return probabilities, embeddings, count[:, 0] > 0


class _Tree:
    """The category tree and its thresholds on the device."""

    def __init__(self, taxonomy: Taxonomy, thresholds: Sequence[float], device: str) -> None:
        def put(array: Any) -> Any:
            return torch.from_numpy(np.array(array, dtype=np.int64)).to(device)

        self._roots, self._ends = put(taxonomy.roots), put(taxonomy.ends)
        self._children = put(taxonomy.children_table)
        levels = int(taxonomy.lineage.shape[1])
        self._thresholds = [thresholds[min(level, len(thresholds) - 1)] for level in range(levels)]

    def departments(self, sums: Any) -> Any:
        """The probability of each root with its subtree, shape [texts, roots]."""
        return sums[:, self._ends[self._roots]] - sums[:, self._roots]

    def descend(self, sums: Any) -> tuple[Any, Any, Any]:
        """As `models.taxonomy.decision.descend`, from the results of `_subtree_sums`."""
        confidence, best = self.departments(sums).max(dim=1)
        chosen = self._roots[best]
        sure = continues = confidence >= self._thresholds[0]
        for threshold in self._thresholds[1:]:
            children = self._children[chosen]
            inside = children.clamp(min=0)
            mass = sums.gather(1, self._ends[inside]) - sums.gather(1, inside)
            reached, best = torch.where(children >= 0, mass, -1.0).max(dim=1)
            continues = continues & (reached >= threshold)
            chosen = torch.where(continues, children.gather(1, best[:, None])[:, 0], chosen)
            confidence = torch.where(continues, reached, confidence)
        return chosen, confidence.clamp(0.0, 1.0), sure


def _subtree_sums(probabilities: Any) -> Any:
    """As `models.taxonomy.decision.subtree_sums`."""
    return functional.pad(probabilities.cumsum(dim=1), (1, 0))


class DeviceCascade:
    """Classifies micro-batches on a device.

    Args:
        artifact: The verified model directory.
        stages: The encoders of the second stage by language; empty for the student alone.
        taxonomy: The artifact's category tree.
        thresholds: The least confidence of a published category of level 1, 2, ….
        candidates: The number of likeliest categories in each result.
        device: `cuda` or `cpu`; the stages are there too.

    Attributes:
        candidates: As given.
        device: As given.
        dimensions: The width of the embeddings.
    """

    def __init__(
        self,
        artifact: Artifact,
        stages: Mapping[Language, DeviceStage],
        taxonomy: Taxonomy,
        thresholds: Sequence[float],
        candidates: int,
        device: str,
    ) -> None:
        self.device, self.candidates = device, candidates
        self._student = _Student(artifact, device)
        self._tree = _Tree(taxonomy, thresholds, device)
        self._stages = stages
        self.dimensions = self._student.dimensions

    def encoder(self, language: Language) -> TorchEncoder:
        """The encoder of a language."""
        return self._stages[language].encoder

    def probabilities(
        self, buffer: Any, shape: BatchShape, language: Language | None
    ) -> tuple[Any, Any, Any, Any]:
        """The probabilities of a micro-batch.

        Args:
            buffer: The uploaded array, int32, shape [shape.size].
            shape: The size of the batch.
            language: The language of the encoder that reads it; None if no encoder does.

        Returns:
            Probabilities, shape [titles, categories]; embeddings, int8, shape [titles, dimensions]; whether
            each text has known features; and whether the encoder took part.
        """
        upload = split_upload(buffer, shape)
        probabilities, embeddings, known = self._student.run(upload)
        described = (upload.flags & DESCRIBED) > 0
        if language is None:
            return probabilities, embeddings, known | described, torch.zeros_like(known)
        stage = self._stages[language]
        departments = self._tree.departments(_subtree_sums(probabilities))
        unseen = (upload.flags & UNSEEN) > 0
        unsure = known & (unseen | (departments.max(dim=1).values < CONFIDENT))
        escalated = ((upload.flags & ENCODED) > 0) & (unsure | described)
        logs = stage.scores(upload.tiles, upload.starts) * stage.scale.sharpness
        logs = logs + stage.scale.student_weight * torch.log(probabilities + _LEAST_PROBABILITY)
        probabilities = torch.where(escalated[:, None], torch.softmax(logs, dim=1), probabilities)
        return probabilities, embeddings, known | described, escalated

    def run(self, buffer: Any, shape: BatchShape, language: Language | None) -> Any:
        """Classify a micro-batch.

        Args:
            buffer: The uploaded array, int32, shape [shape.size], on the device.
            shape: The size of the batch.
            language: The language of the encoder that reads it; None if no encoder does.

        Returns:
            Results, int32, shape [titles, result_width]; `split_download` splits them.
        """
        probabilities, embeddings, known, escalated = self.probabilities(buffer, shape, language)
        chosen, confidence, sure = self._tree.descend(_subtree_sums(probabilities))
        best, columns = probabilities.topk(self.candidates, dim=1)
        flags = sure * SURE + known * KNOWN + escalated * ESCALATED
        if rest := -embeddings.shape[1] % 4:
            embeddings = functional.pad(embeddings, (0, rest))
        return torch.cat(
            [
                chosen[:, None].int(),
                flags[:, None].int(),
                confidence[:, None].view(torch.int32),
                columns.int(),
                best.contiguous().view(torch.int32),
                embeddings.contiguous().view(torch.int32),
            ],
            dim=1,
        )
