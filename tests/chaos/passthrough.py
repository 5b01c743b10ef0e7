"""Anybody's passthrough as a campaign sees it: stock Faust's, Quix Streams', and that of our lanes alone."""

import os
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
from confluent_kafka import Message

from benchmarks.cluster import Cluster
from benchmarks.peers.contestant import PASSTHROUGH, SESSION_TIMEOUT_S, Contestant, Work
from tests.chaos import faults
from tests.chaos.audit import Audit, Verdict
from tests.chaos.feed import Receipt
from tests.chaos.fleet import Fleet
from tests.chaos.inputs import numbered
from tests.chaos.tail import CommittedTopic
from tests.support.deployment import PARTITIONS
from tests.support.kafka import StartableKafka
from tests.support.worker_process import WorkerProcess


class _Numbered(msgspec.Struct):
    """What is read of an event that was passed through."""

    number: int


_NUMBERED = msgspec.json.Decoder(_Numbered)


class Passthrough:
    """Two workers of a contestant that pass events through.

    Args:
        broker: the running broker.
        folder: for state and logs.
        short: a name for topics and groups.
        contestant: who does it.
        seed: of what is fed.
        per_s: events fed.
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
        self._audit = Audit(self.mark_of)

    def mark(self, receipt: Receipt) -> Hashable:
        """The event's number."""
        return receipt.input.number

    def mark_of(self, message: Message) -> Hashable:
        """The number of the event that was passed through."""
        return _NUMBERED.decode(message.value() or b"").number

    def settled(self, receipts: Sequence[Receipt]) -> bool:
        """Whatever is not there by now has been waited for by its number."""
        return True

    def verdict(self, receipts: Sequence[Receipt]) -> Verdict:
        """Each event there once, and those of a key in order."""
        self._audit.add(self._committed.read())
        numbers = {receipt.input.number for receipt in receipts}
        verdict = Verdict(events=len(receipts))
        verdict.lost = verdict.show("lost", self._audit.missing(numbers))
        verdict.duplicated = verdict.show("duplicated", self._audit.repeated)
        verdict.disordered = verdict.show("disordered", self._audit.late)
        return verdict

    def close(self) -> None:
        """End the workers."""
        self.fleet.close()

    def _launch(self) -> WorkerProcess:
        """One more worker; a state folder is shared with none that lives."""
        self._launched += 1
        state = self._work.state / f"worker-{self._launched}"
        work = replace(self._work, state=state)
        log = self._work.state / f"worker-{self._launched}.log"
        environment = {**os.environ, **self._contestant.environment}
        return WorkerProcess(self._contestant.command(work), environment, log)
