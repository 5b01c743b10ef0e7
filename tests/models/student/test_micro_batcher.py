"""Micro-batches: no item is lost, the order is kept, and the limits hold."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from models.student.micro_batcher import MicroBatcher

TOKENS, ROWS, AGE = 20, 4, 5.0


class Batches(RuleBasedStateMachine):
    """Adds items and lets time pass; compares with a simple model."""

    def __init__(self) -> None:
        super().__init__()
        self.batcher: MicroBatcher[tuple[int, int, float]] = MicroBatcher(TOKENS, ROWS, AGE)
        self.now = 0.0
        self.given = 0
        self.taken = 0

    def check(self, batches: list[list[tuple[int, int, float]]]) -> None:
        for batch in batches:
            assert [item[0] for item in batch] == list(range(self.taken, self.taken + len(batch)))
            self.taken += len(batch)
            assert 1 <= len(batch) <= ROWS
            assert sum(item[1] for item in batch) <= TOKENS or len(batch) == 1

    @rule(tokens=st.integers(0, 30))
    def add(self, tokens: int) -> None:
        self.check(self.batcher.add((self.given, tokens, self.now), tokens, self.now))
        self.given += 1

    @rule(passed=st.floats(0, 3))
    def time_passes(self, passed: float) -> None:
        deadline = self.batcher.deadline()
        self.now = self.now + passed if deadline is None else min(self.now + passed, max(deadline, self.now))
        batches = self.batcher.poll(self.now)
        assert all(self.now - batch[0][2] <= AGE + 1e-9 for batch in batches)
        self.check(batches)
        assert (self.batcher.deadline() is None) == (len(self.batcher) == 0)

    @precondition(lambda self: len(self.batcher) > 0)
    @rule()
    def drain(self) -> None:
        self.check(self.batcher.drain())
        assert len(self.batcher) == 0

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.taken + len(self.batcher) == self.given

    @invariant()
    def nothing_waits_too_long(self) -> None:
        deadline = self.batcher.deadline()
        assert deadline is None or deadline <= self.now + AGE


TestBatches = Batches.TestCase
TestBatches.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_an_item_larger_than_the_limit_is_a_batch_by_itself() -> None:
    batcher: MicroBatcher[str] = MicroBatcher(10, 5, 1.0)
    assert batcher.add("a", 3, 0.0) == []
    assert batcher.add("huge", 50, 0.0) == [["a"], ["huge"]]


@pytest.mark.parametrize("limits", [(0, 1, 1.0), (1, 0, 1.0), (1, 1, -1.0)])
def test_impossible_limits_are_refused(limits: tuple[int, int, float]) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        MicroBatcher[int](*limits)
