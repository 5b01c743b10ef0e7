"""Kafka is unreachable exactly while the last answer is older than the limit."""

from hypothesis import given
from hypothesis import strategies as st

from streams.observability.reachability import Reachability


@given(st.lists(st.tuples(st.sampled_from(["answer", "failure", "nothing"]), st.floats(0, 8)), max_size=40))
def test_the_age_of_the_last_answer_decides(steps: list[tuple[str, float]]) -> None:
    watch, now, last = Reachability(9.0, 0.0), 0.0, 0.0
    for step, passed in steps:
        now += passed
        if step == "answer":
            watch.answered(now)
            last = now
        elif step == "failure":
            watch.failed("refused")
        assert (watch.unreachable_reason(now) is not None) == (now - last > 9.0)
        assert watch.silent_s(now) == now - last


def test_the_reason_is_that_of_the_last_failure_since_the_last_answer() -> None:
    watch = Reachability(9.0, 0.0)
    assert watch.unreachable_reason(10.0) == "no answer"
    watch.failed("name not known")
    watch.failed("connection refused")
    assert watch.unreachable_reason(10.0) == "connection refused"
    watch.answered(11.0)
    assert watch.unreachable_reason(12.0) is None
    assert watch.unreachable_reason(21.0) == "no answer"
