"""The account of a run: what went in, and the one defined end that each record came to.

The oracle is the pure code: the codec says which records are dead, the session's state machine what a
shopper's row holds once every good event was applied once, and `output_id` names the one output of a listing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from models.behavior.deltas import DeltaBuilder
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import ShopperRow, apply_events
from models.enrichment.enricher import Enricher
from schemas.codec import decode_category_feedback, decode_product_created, decode_user_behavior
from schemas.dead_letters import DESCRIPTIONS, SOURCE_OFFSET, SOURCE_PARTITION, SOURCE_TOPIC
from schemas.envelope import output_id
from schemas.errors import InvalidEvent
from schemas.events import Change, UserBehavior
from schemas.keys import partition_for, shopper_id
from streams.agents.sessions import received_at
from streams.provenance import MOVED_FROM, ORIGIN, source_of
from streams.records import Record
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED, PRODUCT_ENRICHED, USER_BEHAVIOR

Position = tuple[str, int, int]
Rows = dict[tuple[int, bytes], bytes]
"""Shoppers' rows as bytes, by partition and key."""


@dataclass
class Tally:
    """One input topic, in records. What is redirected comes to an end all the same, and counts there too."""

    records: int = 0
    processed: int = 0
    tombstones: int = 0
    dead: int = 0
    redirected: int = 0
    unaccounted: int = 0


@dataclass
class Account:
    """What became of the inputs.

    Attributes:
        topics: a tally for each input topic.
        faults: a sentence for each record without exactly one end, and for each output without a record.
    """

    topics: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    faults: list[str] = field(default_factory=list)

    @property
    def adds_up(self) -> bool:
        """Whether each record came to one end, and to the right one."""
        return not self.faults and all(
            tally.records == tally.processed + tally.tombstones + tally.dead for tally in self.topics.values()
        )


@dataclass(frozen=True)
class Outputs:
    """What workers wrote: records in any order, and the last rows of all shoppers."""

    enriched: Iterable[Record]
    dead_letters: Iterable[Record]
    shoppers: Rows


def account(inputs: Sequence[Record], outputs: Outputs, enricher: Enricher, partitions: int = 4) -> Account:
    """Compare what became of `inputs`, which are in order in each partition, with what should have.

    Args:
        inputs: every record of the input topics.
        outputs: everything that was written.
        enricher: of the model that the workers ran.
        partitions: of every topic.
    """
    return _Comparison(outputs, enricher, partitions).of(inputs)


class _Comparison:
    def __init__(self, outputs: Outputs, enricher: Enricher, partitions: int) -> None:
        self._enricher, self._partitions = enricher, partitions
        self._account = Account()
        self._dead: defaultdict[Position, list[Record]] = defaultdict(list)
        for record in outputs.dead_letters:
            self._dead[_said_position(record)].append(record)
        self._enriched = Counter(
            (_header(each, "ce_id"), each.key, each.value is None) for each in outputs.enriched
        )
        self._rows = outputs.shoppers
        self._behavior: defaultdict[tuple[int, bytes], list[UserBehavior]] = defaultdict(list)

    def of(self, inputs: Sequence[Record]) -> Account:
        for record in inputs:
            tally = self._account.topics[record.topic]
            tally.records += 1
            buried = self._dead.pop((record.topic, record.partition, record.offset), [])
            ends = len(buried) + self._other_ends(record, tally, bool(buried))
            tally.dead += len(buried)
            if ends != 1:
                tally.unaccounted += 1
                self._fault(record, f"has {ends} ends")
            for letter in buried:
                self._compare(record, letter)
        self._compare_rows()
        self._account.faults += [
            f"a dead letter of {position}, which nobody wrote" for position in self._dead
        ]
        self._account.faults += [f"an output {name!r} of no record" for name in +self._enriched]
        return self._account

    def _other_ends(self, record: Record, tally: Tally, buried: bool) -> int:
        """How often the record ended otherwise than dead, which it may do only if the codec takes it."""
        try:
            if record.topic == USER_BEHAVIOR:
                event = decode_user_behavior(record.value, record.key, received_at=received_at(record))
                self._behavior[record.partition, shopper_id(event).encode()].append(event)
                tally.processed += 1
                return 1
            product_id, withdrawn, may_die = self._product(record)
        except InvalidEvent:
            return 0
        if buried and not may_die:
            self._fault(record, "is dead, though there is nothing wrong with it")
        key = product_id.encode() if record.key is None else record.key
        tally.redirected += partition_for(key, self._partitions) != record.partition
        versions = self._enricher.model_version, self._enricher.taxonomy_version
        name = output_id(source_of(record), *versions, PRODUCT_ENRICHED, product_id).encode()
        found = min(1, self._enriched[name, product_id.encode(), withdrawn])
        self._enriched[name, product_id.encode(), withdrawn] -= found
        if withdrawn:
            tally.tombstones += found
        else:
            tally.processed += found
        return found

    def _product(self, record: Record) -> tuple[str, bool, bool]:
        """The product, whether it is withdrawn, and whether its state decides; raises InvalidEvent."""
        if record.topic == PRODUCT_CREATED:
            listing = decode_product_created(record.value, record.key)
            return listing.product_id, listing.change is Change.WITHDRAWN, False
        assert record.topic == CATEGORY_FEEDBACK
        feedback = decode_category_feedback(record.value, record.key)
        category = feedback.category_id
        if category is not None and category not in self._enricher.taxonomy:
            raise InvalidEvent("unknown-category", "")
        # There may be nothing yet, or nothing any more, to accept.
        return feedback.product_id, False, category is None

    def _compare(self, record: Record, letter: Record) -> None:
        """A dead letter is the record as it was, and more headers."""
        if letter.key != record.key or letter.value != record.value:
            self._fault(record, "changed its key or value in the dead letter")
        if _own_headers(letter) != _own_headers(record):
            self._fault(record, "changed its headers in the dead letter")

    def _compare_rows(self) -> None:
        """A shopper's row is the one that all good events lead to, each applied once and in order."""
        parameters = BehaviorParameters()
        for (partition, key), events in self._behavior.items():
            row = apply_events(ShopperRow(), events, DeltaBuilder(), parameters).to_bytes()
            if self._rows.get((partition, key)) != row:
                tally = self._account.topics[USER_BEHAVIOR]
                tally.processed -= len(events)
                tally.unaccounted += len(events)
                self._account.faults.append(
                    f"the row of shopper {key!r} in partition {partition} is not what its {len(events)}"
                    " events lead to"
                )
        for partition, key in self._rows.keys() - self._behavior.keys():
            self._account.faults.append(f"a row of {key!r} in partition {partition}, who did nothing")

    def _fault(self, record: Record, what: str) -> None:
        self._account.faults.append(
            f"{record.topic}-{record.partition} at {record.offset} {what}: key {record.key!r:.80}, "
            f"value {record.value!r:.300}, headers {record.headers!r:.300}"
        )


def _said_position(letter: Record) -> Position:
    said = {name: value for name, value in letter.headers if name in DESCRIPTIONS}
    return said[SOURCE_TOPIC].decode(), int(said[SOURCE_PARTITION]), int(said[SOURCE_OFFSET])


def _own_headers(record: Record) -> list[tuple[str, bytes]]:
    """The headers that are the producer's alone, in order."""
    return [each for each in record.headers if each[0] not in {*DESCRIPTIONS, ORIGIN, MOVED_FROM}]


def _header(record: Record, name: str) -> bytes:
    return dict(record.headers)[name]
