"""shelfstream whole, with its state, as a campaign sees it."""

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
from tests.chaos.audit import Audit, Verdict, wrong_dead_letters
from tests.chaos.faults import Fault
from tests.chaos.feed import Receipt
from tests.chaos.fleet import Fleet
from tests.chaos.inputs import Input, behaviour, broken_listing, listings
from tests.chaos.tail import CommittedTopic
from tests.support.deployment import PARTITIONS, SESSION_TIMEOUT_S, Deployment
from tests.support.kafka import StartableKafka
from tests.support.model_folders import recalibrated
from tests.support.oracle import wrong_affinities, wrong_shoppers

BATCH = 100
"""Records of a batch at most: small, so that faults and poison meet many of them."""
BOUND = 3_000
"""Neighbours of a row: more than there are products, so that the order of lanes cannot decide who goes."""
PARAMETERS = BehaviorParameters(neighbors=BOUND)


class _Origin(msgspec.Struct):
    """What is read of an enriched product."""

    source: Source
    model_version: str


_ORIGIN = msgspec.json.Decoder(_Origin)


class Shelfstream:
    """All three agents on a broker, fed with a shop's listings and behaviour.

    Args:
        broker: the running broker.
        folder: for state and logs.
        seed: of what is fed.
        listings_per_s: listings fed.
        behaviour_per_s: behaviour events fed.
        poison_share: of both.

    Attributes:
        judges: the versions of the models that judged what was read.
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
        behaviour_per_s: float = 400.0,
        poison_share: float = 0.01,
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
        ).__enter__()
        self._registry = Registry(folder / "registry")
        shipped, other = (
            self._registry.add(each) for each in (SHIPPED, recalibrated(folder / "other-model"))
        )
        self._registry.promote(shipped)
        self._models = itertools.cycle([other, shipped])
        self.judges: set[str] = set()
        self._sweep = listings(seed + 2, 0.0)
        self._swept: deque[Input] = deque()
        self.fleet = Fleet(
            broker,
            folder / "state",
            self._deployment.worker,
            size=2,
            session_timeout_s=SESSION_TIMEOUT_S,
            renew_model=self._renew_model,
            sweep_poison=lambda: self._swept.extend(poison_sweep(self._sweep)),
        )
        self.inputs = (
            (self._with_sweeps(listings(seed, poison_share)), listings_per_s),
            (behaviour(seed + 1, poison_share), behaviour_per_s),
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
        self._enriched = Audit(self.mark_of)
        self._ids: dict[str, tuple[int, int]] = {}
        self._updated = Audit(lambda message: self._ids.get(_header(message, "ce_id")))

    def mark(self, receipt: Receipt) -> Hashable:
        """Where a listing lies that should be enriched."""
        if receipt.input.poison or receipt.place.topic != PRODUCT_CREATED:
            return None
        return receipt.place.partition, receipt.place.offset

    def mark_of(self, message: Message) -> Hashable:
        """Where the listing lies that was enriched."""
        origin = _ORIGIN.decode(message.value() or b"")
        self.judges.add(origin.model_version)
        return origin.source.partition, origin.source.offset

    def settled(self, receipts: Sequence[Receipt]) -> bool:
        """Whether no input waits, in topics or in lanes."""
        return self._deployment.processed()

    def verdict(self, receipts: Sequence[Receipt]) -> Verdict:
        """Each listing enriched once and in order; shoppers, affinities and dead letters as they must be."""
        self._identify(receipts)
        fresh = {topic: committed.read() for topic, committed in self._committed.items()}
        self._enriched.add(fresh[PRODUCT_ENRICHED])
        self._updated.add(fresh[SHOPPER_UPDATED])
        verdict = Verdict(events=len(receipts))
        expected = {mark for receipt in receipts if (mark := self.mark(receipt)) is not None}
        verdict.lost = verdict.show("lost", self._enriched.missing(expected))
        repeated = [*self._enriched.repeated, *self._updated.repeated, *self._enriched.invented(expected)]
        verdict.duplicated = verdict.show("duplicated", repeated)
        verdict.disordered = verdict.show("disordered", [*self._enriched.late, *self._updated.late])
        kept = {topic: self._keep(topic, messages) for topic, messages in fresh.items()}
        events = _behaviour_of(receipts)
        verdict.wrong_rows = verdict.show(
            "wrong row",
            [
                *wrong_affinities(kept["shelfstream-affinities-changelog"], events, PARAMETERS),
                *wrong_shoppers(kept["shelfstream-shoppers-changelog"], events, PARAMETERS),
            ],
        )
        verdict.wrong_dead_letters = verdict.show(
            "wrong dead letter", wrong_dead_letters(kept[DEAD_LETTER], receipts)
        )
        return verdict

    def close(self) -> None:
        """End the workers."""
        self.fleet.close()

    def _keep(self, topic: str, fresh: list[Message]) -> list[Message]:
        """All dead letters; of tables only each key's last record; of other topics nothing."""
        kept = self._kept[topic]
        if topic == DEAD_LETTER:
            kept.extend(fresh)
        elif topic.endswith("-changelog"):
            latest = {message.key(): message for message in [*kept, *fresh]}
            kept[:] = latest.values()
        return kept

    def _identify(self, receipts: Sequence[Receipt]) -> None:
        """Work out which id an update brought about by each behaviour event would have."""
        for receipt in receipts:
            if receipt.place.topic == USER_BEHAVIOR and not receipt.input.poison:
                topic, partition, offset = receipt.place
                place = Source(topic=topic, partition=partition, offset=offset)
                name = output_id(place, "", "", SHOPPER_UPDATED, receipt.input.key.decode())
                self._ids[name] = (place.partition, place.offset)

    def _with_sweeps(self, inputs: Iterator[Input]) -> Iterator[Input]:
        """The inputs, with sweeps between them when they come."""
        for record in inputs:
            while self._swept:
                yield replace(self._swept.popleft(), at_once=True)
            yield record

    def _renew_model(self) -> None:
        self._registry.promote(next(self._models))


def poison_sweep(inputs: Iterator[Input]) -> list[Input]:
    """A block of one product's listings for each place in a batch, with poison in that place."""
    dice = random.Random(BATCH)
    block = []
    first = next(inputs)
    for place in range(BATCH):
        for number in range(BATCH):
            if number == place:
                block.append(broken_listing(first.key.decode(), "swept", place, dice))
            else:
                block.append(first)
    return block


def _behaviour_of(receipts: Sequence[Receipt]) -> list[UserBehavior]:
    """The events fed, as shelfstream reads them, in the order of their partitions."""
    mine = [
        receipt for receipt in receipts if receipt.place.topic == USER_BEHAVIOR and not receipt.input.poison
    ]
    return [
        decode_user_behavior(receipt.input.value, receipt.input.key)
        for receipt in sorted(mine, key=lambda receipt: receipt.place)
    ]


def _header(message: Message, name: str) -> Any:
    value = dict(message.headers() or [])[name]
    return value.decode() if isinstance(value, bytes) else value
