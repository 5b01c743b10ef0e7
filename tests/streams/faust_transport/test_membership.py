"""A worker is lost after the timeout without membership."""

from hypothesis import given
from hypothesis import strategies as st

from streams.faust_transport.membership import MembershipWatch


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 20)), max_size=40))
def test_only_a_long_absence_counts_as_lost(steps: list[tuple[bool, float]]) -> None:
    """Lost is exactly: more than the patience since the last time of membership, or since the start."""
    watch, now, last = MembershipWatch(30.0, 0.0), 0.0, 0.0
    for member, passed in steps:
        now += passed
        if member:
            last = now
        assert watch.lost(member, now) == (now - last > 30.0)


def test_an_unreachable_broker_resets_the_watch() -> None:
    """What is nobody's fault here begins the wait anew."""
    watch = MembershipWatch(30.0, 0.0)
    assert watch.lost(False, 31.0)
    watch.reset(31.0)
    assert not watch.lost(False, 60.0)
    assert watch.lost(False, 62.0)
