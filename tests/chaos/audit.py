"""The audit: compares what a read_committed reader got with what was fed."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Message

from schemas.dead_letters import SOURCE_OFFSET, SOURCE_PARTITION, SOURCE_TOPIC
from tests.chaos.feed import Position, Receipt

_SHOWN = 5


@dataclass(slots=True)
class AuditResult:
    """The differences after a round, as counts. All are zero if the system worked exactly once.

    Attributes:
        events: Inputs fed so far.
        lost: Inputs without their output.
        duplicated: Outputs beyond the first of an input, and outputs that no input explains.
        disordered: Outputs that came after a later one of the same key.
        wrong_rows: Rows of state that differ from the oracle's.
        wrong_dead_letters: Poison records without exactly one unchanged dead letter, and other dead letters.
        examples: The first differences of each kind.
    """

    events: int = 0
    lost: int = 0
    duplicated: int = 0
    disordered: int = 0
    wrong_rows: int = 0
    wrong_dead_letters: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether there is no difference."""
        wrong = (self.lost, self.duplicated, self.disordered, self.wrong_rows, self.wrong_dead_letters)
        return not any(wrong)

    def count(self, kind: str, differences: Iterable[object]) -> int:
        """Count differences, and keep the first of them as examples.

        Args:
            kind: The name of the kind, for the examples.
            differences: The differences.
        """
        listed = list(differences)
        self.examples.extend(f"{kind}: {each}" for each in listed[:_SHOWN])
        return len(listed)


class Audit:
    """Checks the outputs of inputs that have one output each.

    Args:
        input_id_of: Returns the id of the input that an output came from, or None if there is none. The ids
            of a key grow in the order of its inputs.

    Attributes:
        repeated: Ids with more than one output, and the headers of outputs without an id.
        late: Ids whose output came after that of a later input of the same key.
    """

    def __init__(self, input_id_of: Callable[[Message], Any]) -> None:
        self._input_id_of = input_id_of
        self._seen: set[Hashable] = set()
        self._last: dict[bytes | None, Any] = {}
        self.repeated: list[Hashable] = []
        self.late: list[Hashable] = []

    def add(self, messages: Iterable[Message]) -> None:
        """Add outputs, in the order in which a reader gets them."""
        for message in messages:
            input_id, key = self._input_id_of(message), message.key()
            if input_id is None or input_id in self._seen:
                self.repeated.append(input_id if input_id is not None else f"no input: {message.headers()}")
                continue
            self._seen.add(input_id)
            if key in self._last and input_id < self._last[key]:
                self.late.append(input_id)
            self._last[key] = max(input_id, self._last.get(key, input_id))

    def missing(self, expected: Iterable[Hashable]) -> list[Hashable]:
        """The ids in `expected` that have no output."""
        return [input_id for input_id in expected if input_id not in self._seen]

    def unexpected(self, expected: Iterable[Hashable]) -> list[Hashable]:
        """The ids of outputs that are not in `expected`."""
        return list(self._seen.difference(expected))


def source_of(dead_letter: Message) -> Position:
    """The position of the record that became a dead letter."""
    headers = dict(dead_letter.headers() or [])
    return Position(
        _text(headers[SOURCE_TOPIC]),
        int(_text(headers[SOURCE_PARTITION])),
        int(_text(headers[SOURCE_OFFSET])),
    )


def wrong_dead_letters(letters: Iterable[Message], receipts: Iterable[Receipt]) -> list[str]:
    """Compare dead letters with inputs: each poison record has one, with its bytes, and no other record has.

    Args:
        letters: All dead letters.
        receipts: All inputs.

    Returns:
        A sentence for each difference.
    """
    poison = {receipt.position: receipt.input for receipt in receipts if receipt.input.poison}
    wrong = []
    dead_lettered: set[Position] = set()
    for letter in letters:
        position = source_of(letter)
        original = poison.get(position)
        if original is None:
            wrong.append(f"{position} is not poison")
        elif position in dead_lettered:
            wrong.append(f"{position} has two dead letters")
        elif (letter.key(), letter.value()) != (original.key, original.value):
            wrong.append(f"{position} has another key or value: {letter.value()!r}, not {original.value!r}")
        elif tuple(letter.headers() or [])[: len(original.headers)] != original.headers:
            wrong.append(f"{position} has other headers: {letter.headers()}")
        dead_lettered.add(position)
    return [*wrong, *(f"{position} has no dead letter" for position in poison.keys() - dead_lettered)]


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
