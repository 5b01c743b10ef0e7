"""Waiting longer after each failure in a row, and a budget that refills: both pure, with time passed in."""

import random


class Backoff:
    """Exponential backoff with full jitter, so that workers that failed together do not retry together.

    Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(self, min_s: float, max_s: float, seed: int | None = None) -> None:
        self.min_s = min_s
        self.max_s = max_s
        self.failures = 0
        self._random = random.Random(seed)

    def next(self) -> float:
        """Seconds to wait now: between `min_s` and min(max_s, min_s · 2^failures)."""
        ceiling = min(self.max_s, self.min_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return self._random.uniform(self.min_s, max(self.min_s, ceiling))

    def reset(self) -> None:
        """The work succeeded: begin again from `min_s`."""
        self.failures = 0


class TokenBucket:
    """A budget of tokens that refills at a steady rate up to its size.

    Args:
        size: tokens at the start and at most.
        rate: tokens regained per second.
        now: seconds on any monotonic clock, the same for all calls.
    """

    def __init__(self, size: float, rate: float, now: float) -> None:
        self.size = size
        self.rate = rate
        self._tokens = size
        self._at = now

    def left(self, now: float) -> float:
        """Tokens at `now`; negative while a debt is paid off."""
        return min(self.size, self._tokens + (now - self._at) * self.rate)

    def spend(self, tokens: float, now: float) -> float:
        """Take tokens, going into debt if need be.

        Returns:
            Seconds to wait until the debt is paid off; 0.0 without debt.
        """
        self._tokens = self.left(now) - tokens
        self._at = now
        return max(0.0, -self._tokens / self.rate)
