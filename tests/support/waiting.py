"""Waiting for a condition, generously: a test that succeeds never waits for the limit."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], within_s: float = 240) -> None:
    """Poll a condition until it holds.

    Raises:
        AssertionError: It does not hold within `within_s` seconds.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
