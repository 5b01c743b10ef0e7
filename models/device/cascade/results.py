"""Reads the results of a device as classifications."""

import numpy as np

from models.device.cascade.layout import KNOWN, SURE, split_download
from models.device.encoder.packing import Ints
from models.student.classifier import Classification


def read_results(results: Ints, candidates: int, dimensions: int) -> list[Classification]:
    """The classifications of a micro-batch, in its order.

    Args:
        results: The downloaded array, shape [texts, result_width].
        candidates: The number of likeliest categories per text.
        dimensions: The width of the embeddings.
    """
    parts = split_download(results, candidates, dimensions)
    unknown = Classification(-1, 0.0, False, (), np.zeros(dimensions, dtype=np.int8))
    columns = parts.columns.tolist()
    probabilities = np.round(parts.probabilities.astype(np.float64), 4).tolist()
    confidences = np.round(parts.confidences.astype(np.float64), 4).tolist()
    return [
        Classification(
            category, confidence, bool(flags & SURE), tuple(zip(best, values, strict=True)), embedding
        )
        if flags & KNOWN
        else unknown
        for category, flags, confidence, best, values, embedding in zip(
            parts.categories.tolist(),
            parts.flags.tolist(),
            confidences,
            columns,
            probabilities,
            parts.embeddings,
            strict=True,
        )
    ]
