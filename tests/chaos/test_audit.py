"""The audit finds each kind of difference: otherwise a campaign would prove nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letters import SOURCE_OFFSET, SOURCE_PARTITION, SOURCE_TOPIC
from tests.chaos.audit import Audit, AuditResult, wrong_dead_letters
from tests.chaos.faults import Fault, counted, schedule
from tests.chaos.feed import Position, Receipt
from tests.chaos.inputs import Input
from tests.chaos.tail import recovery_s


class Read:
    """A record as a reader gets it, with what an audit reads of it."""

    def __init__(self, key: bytes, value: bytes, headers: list[tuple[str, bytes]] | None = None) -> None:
        self._key, self._value, self._headers = key, value, headers or []

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes:
        return self._value

    def headers(self) -> list[tuple[str, bytes]]:
        return self._headers


def audited(*numbers: int) -> Audit:
    audit = Audit(lambda message: int(message.value() or b"") if message.value() else None)
    messages: list[Any] = [Read(b"k%d" % (number % 2), b"%d" % number) for number in numbers]
    audit.add(messages)
    return audit


def test_outputs_without_differences_are_clean() -> None:
    audit = audited(0, 1, 2, 3)
    assert (audit.missing(range(4)), audit.repeated, audit.late, audit.unexpected(range(4))) == (
        [],
        [],
        [],
        [],
    )


def test_lost_repeated_late_and_unexpected_outputs_are_found() -> None:
    audit = audited(0, 3, 1, 3, 9)
    assert audit.missing(range(4)) == [2]
    assert audit.repeated == [3]
    assert audit.late == [1]
    assert audit.unexpected(range(4)) == [9]


def poison(offset: int) -> Receipt:
    return Receipt(
        Input("t", b"k", b"bad", offset, (("h", b"1"),), poison=True), Position("t", 0, offset), 0.0
    )


def letter(offset: int, value: bytes = b"bad", header: bytes = b"1") -> Any:
    origin = [(SOURCE_TOPIC, b"t"), (SOURCE_PARTITION, b"0"), (SOURCE_OFFSET, b"%d" % offset)]
    return Read(b"k", value, [("h", header), *origin])


@pytest.mark.parametrize(
    ("letters", "wrong"),
    [
        ([letter(0), letter(1)], 0),
        ([letter(0)], 1),
        ([letter(0), letter(1), letter(1)], 1),
        ([letter(0), letter(1), letter(2)], 1),
        ([letter(0), letter(1, value=b"Bad")], 1),
        ([letter(0), letter(1, header=b"2")], 1),
    ],
)
def test_each_poison_record_has_one_unchanged_dead_letter(letters: list[Any], wrong: int) -> None:
    assert len(wrong_dead_letters(letters, [poison(0), poison(1)])) == wrong


@pytest.mark.parametrize("field", ["lost", "duplicated", "disordered", "wrong_rows", "wrong_dead_letters"])
def test_one_difference_of_any_kind_is_not_clean(field: str) -> None:
    assert AuditResult(events=3).clean
    wrong = AuditResult(events=3)
    setattr(wrong, field, 1)
    assert not wrong.clean


@given(st.integers(), st.integers(1, 4))
def test_a_schedule_follows_from_the_seed_and_has_every_fault_in_every_round(seed: int, rounds: int) -> None:
    planned = schedule(seed, rounds, tuple(Fault))
    assert planned == schedule(seed, rounds, tuple(Fault))
    assert len(planned) == rounds
    for faults in planned:
        assert counted([faults]) == dict.fromkeys(Fault, 1) | {Fault.KILL: 5}


def test_recovery_lasts_until_every_partition_has_an_output_of_after_the_fault() -> None:
    def receipt(partition: int, number: int, sent_at: float) -> Receipt:
        return Receipt(Input("t", b"", b"", number), Position("t", partition, number), sent_at)

    receipts = [receipt(0, 1, 9.0), receipt(0, 2, 11.0), receipt(1, 3, 10.5)]
    arrivals: dict[Any, float] = {1: 20.0, 2: 12.0, 3: 15.0}
    assert recovery_s(10.0, receipts, arrivals, lambda each: each.input.number) == 5.0
    del arrivals[3]
    assert recovery_s(10.0, receipts, arrivals, lambda each: each.input.number) is None
