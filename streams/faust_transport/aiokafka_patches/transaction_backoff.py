"""Patch: repeat soon what a broker refuses while it verifies the transaction. The package says why."""

from typing import Any

import aiokafka.producer.sender
from aiokafka.errors import NotEnoughReplicasError
from aiokafka.producer.sender import SendProduceReqHandler
from aiokafka.structs import TopicPartition

_FIRST_BACKOFF_S = 0.005


class PatchedProduceHandler(SendProduceReqHandler):  # type: ignore[misc]
    """Replaces aiokafka's `SendProduceReqHandler`: one produce request to one broker."""

    _batches: dict[TopicPartition, Any]
    _default_backoff: float

    def handle_response(self, response: Any) -> None:
        """Put refused batches aside for a pause that doubles, and let aiokafka handle all others."""
        batches = self._batches
        refused = {
            tp: batch
            for tp, code in _error_codes(response)
            if code == NotEnoughReplicasError.errno and (batch := batches.get(tp)) is not None
        }
        pauses = [_FIRST_BACKOFF_S * 2.0 ** (batch.retry_count - 1) for batch in refused.values()]
        if not pauses or max(pauses) >= self._default_backoff:
            # Refused for longer than any verification takes: the replicas are really missing.
            super().handle_response(response)
            return
        self._batches = {tp: batch for tp, batch in batches.items() if tp not in refused}
        super().handle_response(response)
        if not self._to_reenqueue:
            self._default_backoff = max(pauses)
        self._to_reenqueue.extend(refused.values())


def _error_codes(response: Any) -> list[tuple[TopicPartition, int]]:
    """Return the error code of each partition of a produce response of any version."""
    return [
        (TopicPartition(topic, each[0]), each[1]) for topic, answers in response.topics for each in answers
    ]


def patch_transaction_backoff() -> None:
    """Let all later aiokafka producers of this process repeat such batches after a few milliseconds."""
    aiokafka.producer.sender.SendProduceReqHandler = PatchedProduceHandler
