"""A backoff that grows with each failure, and a token bucket. Neither reads a clock."""

import random


class Backoff:
    """Exponential backoff with full jitter, so that workers that failed together do not retry together.

    Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.

    Args:
        min_s: Seconds of the first pause, and of any pause at least.
        max_s: Seconds of a pause at most.
        seed: Seed of the jitter; None takes a random one.
    """

    def __init__(self, min_s: float, max_s: float, seed: int | None = None) -> None:
        self.min_s = min_s
        self.max_s = max_s
        self.failures = 0
        self._random = random.Random(seed)

    def next(self) -> float:
        """Count a failure. Return the seconds to wait, between `min_s` and min(max_s, min_s · 2^failures)."""
        ceiling = min(self.max_s, self.min_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return self._random.uniform(self.min_s, max(self.min_s, ceiling))

    def reset(self) -> None:
        """Count a success: the next pause starts from `min_s` again."""
        self.failures = 0


class TokenBucket:
    """A budget of tokens that refills at a steady rate up to its size.

    Args:
        size: Tokens at the start, and at most.
        rate: Tokens that are added per second.
        now: Seconds of a monotonic clock, the same clock for all calls.
    """

    def __init__(self, size: float, rate: float, now: float) -> None:
        self.size = size
        self.rate = rate
        self._tokens = size
        self._at = now

    def left(self, now: float) -> float:
        """Return the tokens at `now`; negative while there is a debt."""
        return min(self.size, self._tokens + (now - self._at) * self.rate)

    def spend(self, tokens: float, now: float) -> float:
        """Take tokens. The budget may go into debt.

        Returns:
            Seconds until the debt is paid; 0.0 without a debt.
        """
        self._tokens = self.left(now) - tokens
        self._at = now
        return max(0.0, -self._tokens / self.rate)
