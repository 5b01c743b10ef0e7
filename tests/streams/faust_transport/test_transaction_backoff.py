"""Batches that a broker refuses while it verifies the transaction are repeated soon, all others as ever."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import NotEnoughReplicasError, NotLeaderForPartitionError
from aiokafka.producer.sender import SendProduceReqHandler
from aiokafka.structs import TopicPartition

from streams.faust_transport.aiokafka_patches.transaction_backoff import PatchedProduceHandler

REFUSED, MOVED = NotEnoughReplicasError.errno, NotLeaderForPartitionError.errno
BACKOFF_S = 0.1


class FakeBatch:
    """A batch that was sent `tries` times."""

    def __init__(self, tries: int) -> None:
        self.retry_count = tries
        self.offset: int | None = None

    def done(self, offset: int, timestamp: int, log_start_offset: int | None) -> None:
        self.offset = offset


def handled(kind: Any, codes: list[int], tries: int = 1) -> tuple[Any, list[FakeBatch]]:
    """Let a handler take a response with one partition for each error code."""
    batches = [FakeBatch(tries) for _ in codes]
    client = SimpleNamespace(force_metadata_update=lambda: None)
    sender = SimpleNamespace(_retry_backoff=BACKOFF_S, client=client, _txn_manager=object())
    by_partition = {TopicPartition("t", number): batch for number, batch in enumerate(batches)}
    handler = kind(sender, by_partition)
    answers: list[tuple[Any, ...]] = [
        (number, code, 40 + number, -1, 0, [], None) for number, code in enumerate(codes)
    ]
    handler.handle_response(SimpleNamespace(API_VERSION=8, topics=[("t", answers)]))
    assert len(by_partition) == len(codes)  # The sender unmutes all partitions of the request.
    return handler, batches


def test_refused_batches_are_repeated_after_a_few_milliseconds_without_a_log_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        handler, (fine, refused) = handled(PatchedProduceHandler, [0, REFUSED])
    assert fine.offset == 40
    assert handler._to_reenqueue == [refused]
    assert handler._default_backoff == 0.005
    assert caplog.records == []


def test_the_pause_doubles_up_to_that_of_aiokafka_which_then_warns(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        pauses = [
            handled(PatchedProduceHandler, [REFUSED], tries)[0]._default_backoff for tries in range(1, 6)
        ]
        assert caplog.records == []
        handler, (refused,) = handled(PatchedProduceHandler, [REFUSED], 6)
    assert pauses == [0.005, 0.01, 0.02, 0.04, 0.08]
    assert handler._default_backoff == BACKOFF_S
    assert handler._to_reenqueue == [refused]
    assert "NotEnoughReplicas" in caplog.text


@pytest.mark.parametrize("codes", [[0, 0], [0, MOVED], [MOVED, REFUSED]])
def test_other_answers_are_handled_as_by_aiokafka(codes: list[int]) -> None:
    """A batch that must wait for metadata sets the pause of the whole request."""
    ours, our_batches = handled(PatchedProduceHandler, codes)
    theirs, their_batches = handled(SendProduceReqHandler, codes)
    assert ours._default_backoff == theirs._default_backoff == BACKOFF_S
    assert [each.offset for each in our_batches] == [each.offset for each in their_batches]
    repeated = {our_batches.index(each) for each in ours._to_reenqueue}
    assert repeated == {their_batches.index(each) for each in theirs._to_reenqueue}
