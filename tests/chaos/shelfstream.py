"""shelfstream with all agents and their state, as the system of a campaign."""

import itertools
import random
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Message

from models.behavior.parameters import BehaviorParameters
from models.registry.registry import Registry
from models.student.artifact import SHIPPED
from schemas.codec import decode_user_behavior
from schemas.envelope import output_id
from schemas.events import Source, UserBehavior
from streams.topics import DEAD_LETTER, PRODUCT_CREATED, PRODUCT_ENRICHED, SHOPPER_UPDATED, USER_BEHAVIOR
from tests.chaos.audit import Audit, AuditResult, wrong_dead_letters
from tests.chaos.faults import Fault
from tests.chaos.feed import Receipt
from tests.chaos.fleet import Fleet
from tests.chaos.inputs import Input, behavior, broken_listing, listings
from tests.chaos.tail import CommittedTopic
from tests.support.broker import StartableKafka
from tests.support.deployment import PARTITIONS, SESSION_TIMEOUT_S, SHELFSTREAM, Deployment
from tests.support.model_folders import recalibrated
from tests.support.oracle import wrong_affinities, wrong_shoppers

BATCH = 100
"""The size limit of a batch in records. It is small, so that faults meet many batches."""
BOUND = 3_000
"""Neighbors of a row. There are fewer products: no eviction depends on the order in which lanes work."""
PARAMETERS = BehaviorParameters(neighbors=BOUND)


class _Origin(msgspec.Struct):
    """The part of an enriched product that is decoded."""

    source: Source
    model_version: str


_ORIGIN = msgspec.json.Decoder(_Origin)


class Shelfstream:
    """All three agents on a broker, fed with a shop's listings and behavior.

    Args:
        broker: The running broker.
        folder: The directory for state and logs.
        seed: The seed of the inputs.
        listings_per_s: Listings fed per second.
        behavior_per_s: Behavior events fed per second.
        poison_rate: The fraction of poison records in both.
        replication_factor: The number of replicas of each topic.

    Attributes:
        model_versions: The versions of the models that made the enriched products read so far.
        program: The `shelfstream` program of the workers that are started from now on.
    """

    name = "shelfstream"
    kinds = tuple(Fault)
    watched = PRODUCT_ENRICHED

    def __init__(
        self,
        broker: StartableKafka,
        folder: Path,
        seed: int,
        *,
        listings_per_s: float = 300.0,
        behavior_per_s: float = 400.0,
        poison_rate: float = 0.01,
        replication_factor: int = 1,
    ) -> None:
        self._deployment = Deployment(
            broker.bootstrap,
            folder,
            affinity_bound=BOUND,
            batch_max_records=BATCH,
            transaction_timeout_s=10,
            retry_backoff_max_s=5,
            dead_letter_burst=1_000_000,
            model_registry=folder / "registry",
            replication_factor=replication_factor,
        ).__enter__()
        self._registry = Registry(folder / "registry")
        shipped, other = (
            self._registry.add(each) for each in (SHIPPED, recalibrated(folder / "other-model"))
        )
        self._registry.promote(shipped)
        self._models = itertools.cycle([other, shipped])
        self.model_versions: set[str] = set()
        self.program = SHELFSTREAM
        self._sweep = listings(seed + 2, 0.0)
        self._pending_sweep: deque[Input] = deque()
        self.fleet = Fleet(
            broker,
            folder / "state",
            lambda: self._deployment.worker(shelfstream=self.program),
            size=2,
            session_timeout_s=SESSION_TIMEOUT_S,
            promote_model=self._promote_model,
            feed_poison_sweep=lambda: self._pending_sweep.extend(poison_sweep(self._sweep)),
        )
        self.inputs = (
            (self._with_sweeps(listings(seed, poison_rate)), listings_per_s),
            (behavior(seed + 1, poison_rate), behavior_per_s),
        )
        self._committed = {
            topic: CommittedTopic(broker.bootstrap, topic, PARTITIONS)
            for topic in (
                PRODUCT_ENRICHED,
                SHOPPER_UPDATED,
                DEAD_LETTER,
                "shelfstream-affinities-changelog",
                "shelfstream-shoppers-changelog",
            )
        }
        self._kept: dict[str, list[Message]] = {topic: [] for topic in self._committed}
        self._enriched = Audit(self.input_id_of)
        self._ids: dict[str, tuple[int, int]] = {}
        self._updated = Audit(lambda message: self._ids.get(_header(message, "ce_id")))

    def input_id(self, receipt: Receipt) -> Hashable:
        """Partition and offset of a listing. None for other inputs and for poison records."""
        if receipt.input.poison or receipt.position.topic != PRODUCT_CREATED:
            return None
        return receipt.position.partition, receipt.position.offset

    def input_id_of(self, message: Message) -> Hashable:
        """Partition and offset of the listing that was enriched."""
        origin = _ORIGIN.decode(message.value() or b"")
        self.model_versions.add(origin.model_version)
        return origin.source.partition, origin.source.offset

    def processed(self, receipts: Sequence[Receipt]) -> bool:
        """Whether no record waits, in topics or in lanes."""
        return self._deployment.processed()

    def audit(self, receipts: Sequence[Receipt]) -> AuditResult:
        """Compare outputs with the listings, and state and dead letters with those of the oracle."""
        self._identify(receipts)
        new = {topic: committed.read() for topic, committed in self._committed.items()}
        self._enriched.add(new[PRODUCT_ENRICHED])
        self._updated.add(new[SHOPPER_UPDATED])
        result = AuditResult(events=len(receipts))
        expected = {input_id for receipt in receipts if (input_id := self.input_id(receipt)) is not None}
        result.lost = result.count("lost", self._enriched.missing(expected))
        repeated = [*self._enriched.repeated, *self._updated.repeated, *self._enriched.unexpected(expected)]
        result.duplicated = result.count("duplicated", repeated)
        result.disordered = result.count("disordered", [*self._enriched.late, *self._updated.late])
        kept = {topic: self._keep(topic, messages) for topic, messages in new.items()}
        events = _behavior_of(receipts)
        result.wrong_rows = result.count(
            "wrong row",
            [
                *wrong_affinities(kept["shelfstream-affinities-changelog"], events, PARAMETERS),
                *wrong_shoppers(kept["shelfstream-shoppers-changelog"], events, PARAMETERS),
            ],
        )
        result.wrong_dead_letters = result.count(
            "wrong dead letter", wrong_dead_letters(kept[DEAD_LETTER], receipts)
        )
        return result

    def close(self) -> None:
        """Kill the workers."""
        self.fleet.close()

    def _keep(self, topic: str, new: list[Message]) -> list[Message]:
        """Keep all dead letters and the last record of each key of a changelog. Returns those of `topic`."""
        kept = self._kept[topic]
        if topic == DEAD_LETTER:
            kept.extend(new)
        elif topic.endswith("-changelog"):
            latest = {message.key(): message for message in [*kept, *new]}
            kept[:] = latest.values()
        return kept

    def _identify(self, receipts: Sequence[Receipt]) -> None:
        """Compute the id of the update that each behavior event causes."""
        for receipt in receipts:
            if receipt.position.topic == USER_BEHAVIOR and not receipt.input.poison:
                topic, partition, offset = receipt.position
                place = Source(topic=topic, partition=partition, offset=offset)
                name = output_id(place, "", "", SHOPPER_UPDATED, receipt.input.key.decode())
                self._ids[name] = (place.partition, place.offset)

    def _with_sweeps(self, inputs: Iterator[Input]) -> Iterator[Input]:
        """Yield the inputs, and poison sweeps when they are requested."""
        for record in inputs:
            while self._pending_sweep:
                yield replace(self._pending_sweep.popleft(), at_once=True)
            yield record

    def _promote_model(self) -> None:
        self._registry.promote(next(self._models))


def poison_sweep(inputs: Iterator[Input]) -> list[Input]:
    """Make a batch of one product's listings for each position in a batch, with a poison record there."""
    rng = random.Random(BATCH)
    block = []
    first = next(inputs)
    for place in range(BATCH):
        for number in range(BATCH):
            if number == place:
                block.append(broken_listing(first.key.decode(), "swept", place, rng))
            else:
                block.append(first)
    return block


def _behavior_of(receipts: Sequence[Receipt]) -> list[UserBehavior]:
    """Decode the behavior events that were fed, in the order of their partitions."""
    fed = [
        receipt
        for receipt in receipts
        if receipt.position.topic == USER_BEHAVIOR and not receipt.input.poison
    ]
    return [
        decode_user_behavior(receipt.input.value, receipt.input.key)
        for receipt in sorted(fed, key=lambda receipt: receipt.position)
    ]


def _header(message: Message, name: str) -> Any:
    value = dict(message.headers() or [])[name]
    return value.decode() if isinstance(value, bytes) else value
