"""The audit: what a read_committed reader got, compared with what was fed."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Message

from schemas.dead_letters import SOURCE_OFFSET, SOURCE_PARTITION, SOURCE_TOPIC
from tests.chaos.feed import Place, Receipt

_SHOWN = 5


@dataclass(slots=True)
class Verdict:
    """What is wrong after a round; all numbers are zero if the system kept its word.

    Attributes:
        events: inputs fed so far.
        lost: inputs without their output.
        duplicated: outputs beyond the first of an input, and outputs of no input at all.
        disordered: outputs that came after a later one of the same key.
        wrong_rows: rows of state that differ from the oracle's.
        wrong_dead_letters: poison without exactly one dead letter as it was, and dead letters of no poison.
        examples: the first differences of each kind.
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
        """Whether nothing is wrong."""
        wrong = (self.lost, self.duplicated, self.disordered, self.wrong_rows, self.wrong_dead_letters)
        return not any(wrong)

    def show(self, kind: str, differences: Iterable[object]) -> int:
        """Remember the first of the differences; how many there are."""
        listed = list(differences)
        self.examples.extend(f"{kind}: {each}" for each in listed[:_SHOWN])
        return len(listed)


class Audit:
    """Counts the outputs of inputs that have one each.

    Args:
        mark_of: which input an output came from; marks of one key grow as its inputs do. None: of none.
    """

    def __init__(self, mark_of: Callable[[Message], Any]) -> None:
        self._mark_of = mark_of
        self._seen: set[Hashable] = set()
        self._last: dict[bytes | None, Any] = {}
        self.repeated: list[Hashable] = []
        self.late: list[Hashable] = []

    def add(self, messages: Iterable[Message]) -> None:
        """Take outputs in the order in which a reader gets them."""
        for message in messages:
            mark, key = self._mark_of(message), message.key()
            if mark is None or mark in self._seen:
                self.repeated.append(mark if mark is not None else f"of no input: {message.headers()}")
                continue
            self._seen.add(mark)
            if key in self._last and mark < self._last[key]:
                self.late.append(mark)
            self._last[key] = max(mark, self._last.get(key, mark))

    def missing(self, expected: Iterable[Hashable]) -> list[Hashable]:
        """The inputs that have no output."""
        return [mark for mark in expected if mark not in self._seen]

    def invented(self, expected: Iterable[Hashable]) -> list[Hashable]:
        """Marks of outputs that no input has."""
        return list(self._seen.difference(expected))

    def last(self, key: bytes) -> Any:
        """The latest mark of a key, or None."""
        return self._last.get(key)


def origin_of(message: Message) -> Place:
    """Where the record of a dead letter was read."""
    headers = dict(message.headers() or [])
    return Place(
        _text(headers[SOURCE_TOPIC]),
        int(_text(headers[SOURCE_PARTITION])),
        int(_text(headers[SOURCE_OFFSET])),
    )


def wrong_dead_letters(letters: Iterable[Message], receipts: Iterable[Receipt]) -> list[str]:
    """What is wrong with the dead letters: each poison has exactly one, with its bytes, and nothing else has.

    Args:
        letters: all dead letters.
        receipts: all inputs.
    """
    poison = {receipt.place: receipt.input for receipt in receipts if receipt.input.poison}
    wrong = []
    buried: set[Place] = set()
    for letter in letters:
        place = origin_of(letter)
        original = poison.get(place)
        if original is None:
            wrong.append(f"{place} was no poison")
        elif place in buried:
            wrong.append(f"{place} was buried twice")
        elif (letter.key(), letter.value()) != (original.key, original.value):
            wrong.append(f"{place} has another key or value: {letter.value()!r} for {original.value!r}")
        elif tuple(letter.headers() or [])[: len(original.headers)] != original.headers:
            wrong.append(f"{place} has other headers: {letter.headers()}")
        buried.add(place)
    return [*wrong, *(f"{place} was never buried" for place in poison.keys() - buried)]


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
