"""The watch of a model process: silence and long batches are hangs, and nothing else is."""

import pytest

from streams.inference.watch import LOADING_SILENCE_S, SILENCE_S, ModelWatch


class Clock:
    """A watch whose time passes in steps, as in the thread that watches."""

    def __init__(self, timeout_s: float = 60.0, *, loaded: bool = True) -> None:
        self.now = 100.0
        self.watch = ModelWatch(timeout_s, self.now)
        if loaded:
            self.watch.loaded()

    def hang_after(self, *, heard: bool, most_s: float = 1_000.0) -> float | None:
        """Let time pass until the watch says that the process hangs. Returns the seconds, None for never."""
        begun = self.now
        while self.now - begun < most_s:
            self.now += 0.5
            if heard:
                self.watch.heard()
            if self.watch.hang(self.now) is not None:
                return self.now - begun
        return None


@pytest.mark.parametrize(("loaded", "limit_s"), [(True, SILENCE_S), (False, LOADING_SILENCE_S)])
def test_a_silent_process_hangs_after_a_stated_time_and_is_reported_before(
    loaded: bool, limit_s: float
) -> None:
    clock = Clock(loaded=loaded)
    assert clock.hang_after(heard=False, most_s=5) is None
    assert clock.watch.trouble() is None
    assert clock.hang_after(heard=False, most_s=1) is None
    assert "has not answered for 6 s" in (clock.watch.trouble() or "")
    assert clock.hang_after(heard=False) == limit_s - 6 + 0.5
    assert "no heartbeat" in (clock.watch.hang(clock.now) or "")


def test_a_process_with_nothing_to_do_does_not_hang() -> None:
    assert Clock().hang_after(heard=True) is None


@pytest.mark.parametrize(("listings", "limit_s"), [(1, 60), (1_000, 60), (1_001, 120), (4_000, 240)])
def test_the_time_limit_grows_with_the_batch(listings: int, limit_s: float) -> None:
    clock = Clock()
    clock.watch.sent(listings)
    assert clock.hang_after(heard=True, most_s=limit_s / 2 + 1) is None
    assert f"a batch of {listings:,} listings" in (clock.watch.trouble() or "")
    assert clock.hang_after(heard=True) == limit_s / 2 - 0.5
    assert "took longer than" in (clock.watch.hang(clock.now) or "")


def test_a_batch_begins_when_the_one_before_it_is_answered() -> None:
    clock = Clock()
    for _ in range(3):
        clock.watch.sent(10)
    for _ in range(3):
        assert clock.hang_after(heard=True, most_s=50) is None
        clock.watch.answered()
    assert clock.hang_after(heard=True) is None


def test_the_time_in_which_the_worker_was_suspended_does_not_count() -> None:
    clock = Clock()
    clock.watch.sent(1)
    clock.now += 3_600
    assert clock.watch.hang(clock.now) is None
    assert clock.watch.trouble() is None
