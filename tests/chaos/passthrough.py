"""A passthrough as the system of a campaign: stock Faust's, Quix Streams', or that of our lanes alone."""

import os
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
from confluent_kafka import Message

from benchmarks.cluster import Cluster
from benchmarks.peers.contestant import PASSTHROUGH, SESSION_TIMEOUT_S, Contestant, Work
from tests.chaos import faults
from tests.chaos.audit import Audit, AuditResult
from tests.chaos.feed import Receipt
from tests.chaos.fleet import Fleet
from tests.chaos.inputs import numbered
from tests.chaos.tail import CommittedTopic
from tests.support.broker import StartableKafka
from tests.support.deployment import PARTITIONS
from tests.support.worker_process import WorkerProcess


class _Numbered(msgspec.Struct):
    """The part of a passed-through event that is decoded."""

    number: int


_NUMBERED = msgspec.json.Decoder(_Numbered)


class Passthrough:
    """Two workers of a contestant that copy events from one topic to another.

    Args:
        broker: The running broker.
        folder: The directory for state and logs.
        short: The prefix of topics and groups.
        contestant: The stream processor.
        seed: The seed of the inputs.
        per_s: Events fed per second.
    """

    kinds = faults.PASSTHROUGH

    def __init__(
        self,
        broker: StartableKafka,
        folder: Path,
        short: str,
        contestant: Contestant,
        seed: int,
        *,
        per_s: float = 700.0,
    ) -> None:
        self.name = f"{contestant.name} {contestant.version()}"
        self.watched = f"{short}-sink"
        source = f"{short}-source"
        cluster = Cluster(broker.bootstrap)
        for topic in (source, self.watched):
            cluster.create(topic, PARTITIONS)
        self._contestant = contestant
        self._work = Work(broker.bootstrap, PASSTHROUGH, source, self.watched, short, folder, PARTITIONS)
        self._launched = 0
        self.fleet = Fleet(broker, folder, self._launch, size=2, session_timeout_s=SESSION_TIMEOUT_S)
        self.inputs = ((numbered(seed, source), per_s),)
        self._committed = CommittedTopic(broker.bootstrap, self.watched, PARTITIONS)
        self._audit = Audit(self.input_id_of)

    def input_id(self, receipt: Receipt) -> Hashable:
        """The event's number."""
        return receipt.input.number

    def input_id_of(self, message: Message) -> Hashable:
        """The number of the event that was passed through."""
        return _NUMBERED.decode(message.value() or b"").number

    def processed(self, receipts: Sequence[Receipt]) -> bool:
        """Always true: the campaign waits for each number in the output topic."""
        return True

    def audit(self, receipts: Sequence[Receipt]) -> AuditResult:
        """Compare: each event is in the output topic once, and those of a key are in order."""
        self._audit.add(self._committed.read())
        numbers = {receipt.input.number for receipt in receipts}
        result = AuditResult(events=len(receipts))
        result.lost = result.count("lost", self._audit.missing(numbers))
        result.duplicated = result.count("duplicated", self._audit.repeated)
        result.disordered = result.count("disordered", self._audit.late)
        return result

    def close(self) -> None:
        """Kill the workers."""
        self.fleet.close()

    def _launch(self) -> WorkerProcess:
        """Start one more worker, with a state directory of its own."""
        self._launched += 1
        state = self._work.state / f"worker-{self._launched}"
        work = replace(self._work, state=state)
        log = self._work.state / f"worker-{self._launched}.log"
        environment = {**os.environ, **self._contestant.environment}
        return WorkerProcess(self._contestant.command(work), environment, log)
