"""The account of a run: the records that went in, and the one defined outcome of each.

The oracle is the pure code. The codec decides which records become dead letters, the session's state machine
computes a shopper's row from all valid events, and `output_id` names the one output of a listing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from models.behavior.deltas import DeltaBuilder
from models.behavior.logins import guest_of
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import ShopperRow, apply_events
from models.enrichment.enricher import Enricher
from schemas.codec import decode_category_feedback, decode_product_created, decode_user_behavior
from schemas.dead_letters import DESCRIPTIONS, REASON, SOURCE_OFFSET, SOURCE_PARTITION, SOURCE_TOPIC
from schemas.envelope import output_id
from schemas.errors import InvalidEvent
from schemas.events import Change, UserBehavior
from schemas.keys import partition_for, shopper_id
from streams.agents.shopper_update import received_at
from streams.provenance import MOVED_FROM, ORIGIN, source_of
from streams.records import Record
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED, PRODUCT_ENRICHED, USER_BEHAVIOR
from tests.support.behavior import without_corrections

Position = tuple[str, int, int]
Rows = dict[tuple[int, bytes], bytes]
"""Shoppers' rows as bytes, by partition and key."""


@dataclass
class Tally:
    """The outcomes of an input topic's records, as counts. A redirected record also has another outcome."""

    records: int = 0
    processed: int = 0
    tombstones: int = 0
    dead: int = 0
    redirected: int = 0
    unaccounted: int = 0


@dataclass
class Account:
    """The outcomes of the inputs.

    Attributes:
        topics: A tally for each input topic.
        faults: A sentence for each record without exactly one outcome, and for each output without a record.
    """

    topics: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    faults: list[str] = field(default_factory=list)

    @property
    def adds_up(self) -> bool:
        """Whether each record has one outcome, and the right one."""
        return not self.faults and all(
            tally.records == tally.processed + tally.tombstones + tally.dead for tally in self.topics.values()
        )


@dataclass(frozen=True)
class Outputs:
    """The records that workers wrote.

    Attributes:
        enriched: The records of `product-enriched`, in any order.
        dead_letters: The dead letters, in any order.
        shoppers: The last row of each shopper.
    """

    enriched: Iterable[Record]
    dead_letters: Iterable[Record]
    shoppers: Rows


def account(inputs: Sequence[Record], outputs: Outputs, enricher: Enricher, partitions: int = 4) -> Account:
    """Compare the outcomes of inputs with the expected ones.

    Args:
        inputs: Every record of the input topics, in offset order within each partition.
        outputs: Everything that the workers wrote.
        enricher: The workers' model.
        partitions: The number of partitions of every topic.
    """
    return _Comparison(outputs, enricher, partitions).compare(inputs)


class _Comparison:
    def __init__(self, outputs: Outputs, enricher: Enricher, partitions: int) -> None:
        self._enricher, self._partitions = enricher, partitions
        self._account = Account()
        self._dead: defaultdict[Position, list[Record]] = defaultdict(list)
        for record in outputs.dead_letters:
            self._dead[_source_position(record)].append(record)
        self._enriched = Counter(
            (_header(each, "ce_id"), each.key, each.value is None) for each in outputs.enriched
        )
        self._rows = outputs.shoppers
        self._behavior: defaultdict[tuple[int, bytes], list[UserBehavior]] = defaultdict(list)
        self._moved: set[bytes] = set()
        """Shoppers with events that arrived elsewhere, or who logged in: their rows depend on the order."""

    def compare(self, inputs: Sequence[Record]) -> Account:
        for record in inputs:
            tally = self._account.topics[record.topic]
            tally.records += 1
            letters = self._dead.pop((record.topic, record.partition, record.offset), [])
            # Whether another shop lists the product depends on what came before.
            rejected = [each for each in letters if dict(each.headers).get(REASON) != b"other-shop"]
            reasons = b", ".join(dict(each.headers).get(REASON) or b"" for each in rejected).decode()
            outcomes = len(letters) + self._other_outcomes(record, tally, bool(letters), reasons)
            tally.dead += len(letters)
            if outcomes != 1:
                tally.unaccounted += 1
                self._fault(record, f"has {outcomes} outcomes")
            for letter in letters:
                self._compare(record, letter)
        self._compare_rows()
        self._account.faults += [
            f"a dead letter of {position}, where no record is" for position in self._dead
        ]
        self._account.faults += [f"an output {name!r} of no record" for name in +self._enriched]
        return self._account

    def _other_outcomes(self, record: Record, tally: Tally, dead: bool, reasons: str) -> int:
        """Count the outcomes that are no dead letters. A record that the codec rejects must have none."""
        try:
            if record.topic == USER_BEHAVIOR:
                event = decode_user_behavior(record.value, record.key, received_at=received_at(record))
                self._note_behavior(record, event)
                tally.processed += 1
                return 1
            product_id, withdrawn, may_die = self._product(record)
        except InvalidEvent:
            return 0
        if reasons and not may_die:
            self._fault(record, f"is dead ({reasons}), although it is valid")
        key = product_id.encode() if record.key is None else record.key
        tally.redirected += partition_for(key, self._partitions) != record.partition
        versions = self._enricher.model_version, self._enricher.taxonomy_version
        name = output_id(source_of(record), *versions, PRODUCT_ENRICHED, product_id).encode()
        found = min(1, self._enriched[name, product_id.encode(), withdrawn])
        self._enriched[name, product_id.encode(), withdrawn] -= found
        if record.value is None and not dead:
            # Whether it has an output depends on whether the product is known.
            found = 1
        if withdrawn:
            tally.tombstones += found
        else:
            tally.processed += found
        return found

    def _product(self, record: Record) -> tuple[str, bool, bool]:
        """Decode a record of a product.

        Returns:
            The product's id, whether it is withdrawn, and whether the outcome depends on its state.

        Raises:
            InvalidEvent: The codec rejects the record.
        """
        if record.topic == PRODUCT_CREATED:
            listing = decode_product_created(record.value, record.key)
            # A tombstone with a key in JSON dies unless it names a product.
            return listing.product_id, listing.change is Change.WITHDRAWN, record.value is None
        assert record.topic == CATEGORY_FEEDBACK
        feedback = decode_category_feedback(record.value, record.key)
        category = feedback.category_id
        if category is not None and category not in self._enricher.taxonomy:
            raise InvalidEvent("unknown-category", "")
        # The product may not be listed yet, or not any more: then there is nothing to accept.
        return feedback.product_id, False, category is None

    def _compare(self, record: Record, letter: Record) -> None:
        """Compare a dead letter with its record: only headers may have been added."""
        if letter.key != record.key or letter.value != record.value:
            self._fault(record, "changed its key or value in the dead letter")
        if _own_headers(letter) != _own_headers(record):
            self._fault(record, "changed its headers in the dead letter")

    def _note_behavior(self, record: Record, event: UserBehavior) -> None:
        key, guest = shopper_id(event).encode(), guest_of(event)
        home = partition_for(key, self._partitions)
        self._behavior[home, key].append(event)
        if guest is not None:
            self._moved |= {key, guest.encode()}
        elif home != record.partition:
            self._moved.add(key)

    def _compare_rows(self) -> None:
        """Compare each shopper's row with that of all valid events, each applied once and in order."""
        parameters = BehaviorParameters()
        for (partition, key), events in self._behavior.items():
            if key in self._moved:
                continue
            row = apply_events(ShopperRow(), events, DeltaBuilder(), parameters).to_bytes()
            if without_corrections(self._rows.get((partition, key))) != without_corrections(row):
                tally = self._account.topics[USER_BEHAVIOR]
                tally.processed -= len(events)
                tally.unaccounted += len(events)
                self._account.faults.append(
                    f"the row of shopper {key!r} in partition {partition} is not what its {len(events)}"
                    " events lead to"
                )
        for partition, key in self._rows.keys() - self._behavior.keys():
            if key in self._moved and partition == partition_for(key, self._partitions):
                continue
            if key.startswith(b"\x00"):  # What the agent keeps for itself: no shopper's id begins so.
                continue
            self._account.faults.append(f"a row of {key!r} in partition {partition}, who has no valid event")

    def _fault(self, record: Record, what: str) -> None:
        self._account.faults.append(
            f"{record.topic}-{record.partition} at {record.offset} {what}: key {record.key!r:.80}, "
            f"value {record.value!r:.300}, headers {record.headers!r:.300}"
        )


def _source_position(letter: Record) -> Position:
    headers = {name: value for name, value in letter.headers if name in DESCRIPTIONS}
    return headers[SOURCE_TOPIC].decode(), int(headers[SOURCE_PARTITION]), int(headers[SOURCE_OFFSET])


def _own_headers(record: Record) -> list[tuple[str, bytes]]:
    """The headers that the producer wrote, in order."""
    return [each for each in record.headers if each[0] not in {*DESCRIPTIONS, ORIGIN, MOVED_FROM}]


def _header(record: Record, name: str) -> bytes:
    return dict(record.headers)[name]
